// What YAML is read into: an ordered tree whose every node knows where it was written. A resolved
// configuration is a Value with every default written back and every choice in its normal form
// `{name: {option: value, ...}}`.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/error.h"

namespace latent {

/// Where a node was written. `line` and `column` count from 1; they are 0 where `source` is not a
/// file ("--set a.b").
struct Mark {
  std::string source;
  int line = 0, column = 0;
};
/// "runs/a.yaml:3:5" or "--set a.b".
std::string to_string(const Mark& mark);

class Value {
 public:
  enum class Kind { null, boolean, integer, real, string, list, map };
  struct Entry;
  using List = std::vector<Value>;
  using Map = std::vector<Entry>;  ///< in the order written; keys are unique

  Value() = default;
  Value(bool v, Mark mark = {}) : data_(v), mark_(std::move(mark)) {}
  Value(int v, Mark mark = {}) : data_(int64_t{v}), mark_(std::move(mark)) {}
  Value(int64_t v, Mark mark = {}) : data_(v), mark_(std::move(mark)) {}
  Value(double v, Mark mark = {}) : data_(v), mark_(std::move(mark)) {}
  Value(std::string v, Mark mark = {}) : data_(std::move(v)), mark_(std::move(mark)) {}
  Value(const char* v, Mark mark = {}) : data_(std::string(v)), mark_(std::move(mark)) {}
  static Value make_list(List elements = {}, Mark mark = {});
  static Value make_map(Mark mark = {});

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind k) const { return kind() == k; }
  /// Is it this string? `config.at("data").at("labels").is("none")`.
  bool is(std::string_view word) const;
  const Mark& mark() const { return mark_; }
  void set_mark(Mark mark) { mark_ = std::move(mark); }

  // Typed access. A value of another kind throws UserError with the mark and what was wanted; a
  // resolved tree has the kinds that its schema says, so that readers of one never see it.
  bool as_bool() const;
  int64_t as_int() const;
  double as_real() const;  ///< integers too
  const std::string& as_string() const;
  std::vector<int64_t> as_ints() const;  ///< a list of integers; a single integer is a list of one
  std::vector<double> as_reals() const;  ///< the same for numbers
  std::vector<std::string> as_strings() const;  ///< the same for strings

  const List& list() const;
  List& list();
  const Map& entries() const;
  Map& entries();
  /// The value of a key; `at` throws UserError where it is missing, `find` returns nullptr.
  const Value& at(std::string_view key) const;
  Value& at(std::string_view key);
  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  /// Replaces the value of a key, or appends the key.
  Value& set(const std::string& key, Value value);
  void erase(std::string_view key);

  /// Marks are not compared; 1 and 1.0 differ.
  bool operator==(const Value& other) const;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, List, Map> data_;
  Mark mark_;
};

struct Value::Entry {
  std::string key;
  Value value;
  Mark mark;  ///< of the key
  bool operator==(const Entry& other) const { return key == other.key && value == other.value; }
};

/// "integer", "list"...: what a person calls it.
std::string_view name_of(Value::Kind kind);

/// YAML of at most 100 columns where words allow, ending with a line feed: reading it gives the
/// same Value.
std::string to_yaml(const Value& value);
/// The same on one line, `{dense: {units: 32}}`: for messages and hashes.
std::string to_flow(const Value& value);
nlohmann::ordered_json to_json(const Value& value);
/// SHA-256 of the one-line form, as hexadecimal digits.
std::string hash_of(const Value& value);

/// `throw error_at(mark, "train.epochs", "must be ...")`: "FILE:3:5: train.epochs: must be ...".
UserError error_at(const Mark& mark, std::string_view key, std::string_view message);

}  // namespace latent
