#include "core/config/value.h"

#include <algorithm>
#include <utility>

#include "core/base/spelling.h"

namespace latent {

std::string to_string(const Mark& mark) {
  return mark.line > 0 ? cat(mark.source, ":", mark.line, ":", mark.column) : mark.source;
}

std::string_view name_of(Value::Kind kind) {
  constexpr std::string_view kNames[] = {"nothing", "boolean", "integer", "real",
                                         "text",    "list",    "map"};
  return kNames[static_cast<int>(kind)];
}

UserError error_at(const Mark& mark, std::string_view key, std::string_view message) {
  const std::string place = to_string(mark);
  const bool said = mark.line == 0 && place.ends_with(cat(" ", key));  // "--set train.epochs"
  return UserError(cat(place, place.empty() ? "" : ": ", said ? "" : key,
                       said || key.empty() ? "" : ": ", message));
}

namespace {

UserError wrong_kind(const Value& value, std::string_view wanted) {
  return error_at(value.mark(), "", cat("is `", to_flow(value), "`, allowed: ", wanted));
}

template <class T, class Read>
std::vector<T> read_all(const Value& value, Read read) {
  if (!value.is(Value::Kind::list)) return {read(value)};
  std::vector<T> all;
  for (const Value& element : value.list()) all.push_back(read(element));
  return all;
}

}  // namespace

Value Value::make_list(List elements, Mark mark) {
  Value value;
  value.data_ = std::move(elements);
  value.mark_ = std::move(mark);
  return value;
}

Value Value::make_map(Mark mark) {
  Value value;
  value.data_ = Map{};
  value.mark_ = std::move(mark);
  return value;
}

bool Value::is(std::string_view word) const {
  const auto* text = std::get_if<std::string>(&data_);
  return text && *text == word;
}

bool Value::as_bool() const {
  if (const auto* v = std::get_if<bool>(&data_)) return *v;
  throw wrong_kind(*this, "true | false");
}

int64_t Value::as_int() const {
  if (const auto* v = std::get_if<int64_t>(&data_)) return *v;
  throw wrong_kind(*this, "integer");
}

double Value::as_real() const {
  if (const auto* v = std::get_if<double>(&data_)) return *v;
  if (const auto* v = std::get_if<int64_t>(&data_)) return static_cast<double>(*v);
  throw wrong_kind(*this, "real");
}

const std::string& Value::as_string() const {
  if (const auto* v = std::get_if<std::string>(&data_)) return *v;
  throw wrong_kind(*this, "text");
}

std::vector<int64_t> Value::as_ints() const {
  return read_all<int64_t>(*this, [](const Value& v) { return v.as_int(); });
}

std::vector<double> Value::as_reals() const {
  return read_all<double>(*this, [](const Value& v) { return v.as_real(); });
}

std::vector<std::string> Value::as_strings() const {
  return read_all<std::string>(*this, [](const Value& v) { return v.as_string(); });
}

const Value::List& Value::list() const {
  if (const auto* v = std::get_if<List>(&data_)) return *v;
  throw wrong_kind(*this, "list");
}

Value::List& Value::list() { return const_cast<List&>(std::as_const(*this).list()); }

const Value::Map& Value::entries() const {
  if (const auto* v = std::get_if<Map>(&data_)) return *v;
  throw wrong_kind(*this, "map");
}

Value::Map& Value::entries() { return const_cast<Map&>(std::as_const(*this).entries()); }

const Value* Value::find(std::string_view key) const {
  const auto* map = std::get_if<Map>(&data_);
  if (!map) return nullptr;
  const auto entry =
      std::find_if(map->begin(), map->end(), [&](const Entry& e) { return e.key == key; });
  return entry == map->end() ? nullptr : &entry->value;
}

Value* Value::find(std::string_view key) {
  return const_cast<Value*>(std::as_const(*this).find(key));
}

const Value& Value::at(std::string_view key) const {
  if (const Value* value = find(key)) return *value;
  std::vector<std::string> keys;
  for (const Entry& entry : entries()) keys.push_back(entry.key);
  throw error_at(mark_, key, cat("is missing here; there are: ", join(keys, ", ")));
}

Value& Value::at(std::string_view key) { return const_cast<Value&>(std::as_const(*this).at(key)); }

Value& Value::set(const std::string& key, Value value) {
  if (Value* old = find(key)) return *old = std::move(value);
  Mark mark = value.mark();
  entries().push_back({key, std::move(value), std::move(mark)});
  return entries().back().value;
}

void Value::erase(std::string_view key) {
  std::erase_if(entries(), [&](const Entry& entry) { return entry.key == key; });
}

bool Value::operator==(const Value& other) const { return data_ == other.data_; }

}  // namespace latent
