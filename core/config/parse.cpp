#include "core/config/parse.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "core/config/scalar.h"

namespace latent {
namespace {

constexpr int64_t kMostNodes = 100'000;         // aliases of aliases grow without bound
constexpr std::uintmax_t kMostBytes = 4 << 20;  // a data set given for an experiment

int64_t nodes_of(const Value& value) {
  int64_t n = 1;
  if (value.is(Value::Kind::list))
    for (const Value& child : value.list()) n += nodes_of(child);
  if (value.is(Value::Kind::map))
    for (const auto& entry : value.entries()) n += nodes_of(entry.value);
  return n;
}

/// Builds a Value from the parser's events.
class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string source, bool in_file) : source_(std::move(source)), in_file_(in_file) {
    root_.set_mark({source_});
  }

  Value take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0)
      throw error_at(
          mark_of(mark), "",
          "a second document begins here, where one is read (or the indentation is wrong)");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(read_plain("", mark_of(mark)), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end())
      throw error_at(mark_of(mark), "", "an alias within the very value that it stands for");
    nodes_ += nodes_of(found->second);
    if (nodes_ > kMostNodes) throw error_at(mark_of(mark), "", "aliases make this file too large");
    if (expects_key()) throw error_at(mark_of(mark), "", "a key is text, not an alias");
    add(found->second, YAML::NullAnchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    const Mark place = mark_of(mark);
    const bool plain = tag == "?";
    if (!plain && tag != "!" && tag != "tag:yaml.org,2002:str") refuse_tag(place, tag);
    if (expects_key()) {
      set_key(text, plain, place);
    } else {
      add(plain ? read_plain(text, place) : Value(text, place), anchor);
    }
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Value::make_list({}, mark_of(mark)), tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Value::make_map(mark_of(mark)), tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Value value;
    YAML::anchor_t anchor;
    std::string key;
    Mark key_mark;
    bool has_key = false;
  };

  Mark mark_of(const YAML::Mark& mark) const {
    return in_file_ ? Mark{source_, mark.line + 1, mark.column + 1} : Mark{source_};
  }

  static void refuse_tag(const Mark& mark, const std::string& tag) {
    throw error_at(mark, "", cat("tags are not read: ", tag));
  }

  bool expects_key() const {
    return !open_.empty() && open_.back().value.is(Value::Kind::map) && !open_.back().has_key;
  }

  void set_key(const std::string& key, bool plain, const Mark& mark) {
    if (plain && key == "<<")
      throw error_at(mark, "",
                     "merge keys (<<) are not read; `extends: FILE` takes another file's keys");
    Open& map = open_.back();
    if (map.value.find(key)) {
      Mark first;
      for (const auto& entry : map.value.entries())
        if (entry.key == key) first = entry.mark;
      const std::string where = first.line > 0 ? cat(", first in line ", first.line) : "";
      throw error_at(mark, key, cat("is given twice", where));
    }
    map.key = key;
    map.key_mark = mark;
    map.has_key = true;
  }

  void open(Value value, const std::string& tag, YAML::anchor_t anchor) {
    if (!tag.empty() && tag != "?") refuse_tag(value.mark(), tag);
    if (expects_key())
      throw error_at(value.mark(), "",
                     "a list or map in the place of a key; is a bracket left open?");
    open_.push_back({std::move(value), anchor, "", {}, false});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    add(std::move(done.value), done.anchor);
  }

  void add(Value value, YAML::anchor_t anchor) {
    if (expects_key()) throw error_at(value.mark(), "", "an empty key");
    if (++nodes_ > kMostNodes) throw error_at(value.mark(), "", "this file is too large");
    if (anchor != YAML::NullAnchor) anchors_[anchor] = value;
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    Open& parent = open_.back();
    if (parent.value.is(Value::Kind::list)) {
      parent.value.list().push_back(std::move(value));
    } else {
      parent.value.entries().push_back({parent.key, std::move(value), parent.key_mark});
      parent.has_key = false;
    }
  }

  std::string source_;
  bool in_file_;
  Value root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Value> anchors_;
  int64_t nodes_ = 0;
  int documents_ = 0;
};

/// The place of the first byte that is not UTF-8, or npos (RFC 3629, overlong forms not looked for).
size_t first_not_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t more = lead < 0x80             ? 0
                        : (lead & 0xe0) == 0xc0 ? 1
                        : (lead & 0xf0) == 0xe0 ? 2
                        : (lead & 0xf8) == 0xf0 ? 3
                                                : text.size();
    if (lead == 0 || i + more >= text.size()) return i;
    for (size_t k = 1; k <= more; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return i;
    i += more + 1;
  }
  return std::string_view::npos;
}

void refuse_binary(std::string_view text, const std::string& source) {
  const size_t place = first_not_utf8(text);
  if (place == text.npos) return;
  const auto line = std::count(text.begin(), text.begin() + place, '\n');
  throw UserError(cat(source, ": line ", line + 1, ": is not text in UTF-8"));
}

/// yaml-cpp reads a tab in the indentation as it likes.
void refuse_tabs(std::string_view text, const std::string& source) {
  int line = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view row = text.substr(begin, end - begin);
    const size_t first = row.find_first_not_of(" \t\r");
    const size_t tab = row.find('\t');
    ++line;
    if (first != row.npos && row[first] != '#' && tab < first)
      throw error_at({source, line, static_cast<int>(tab) + 1}, "",
                     "a tab in the indentation; YAML is indented by spaces");
    begin = end + 1;
  }
}

Value parse(std::string_view text, const std::string& source, bool in_file) {
  Builder builder(source, in_file);
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) continue;
  } catch (const YAML::Exception& e) {
    Mark mark{source};
    if (in_file && !e.mark.is_null()) mark = {source, e.mark.line + 1, e.mark.column + 1};
    throw error_at(mark, "", cat("not YAML: ", e.msg));
  }
  return builder.take();
}

std::string read_text(const std::filesystem::path& file) {
  const std::string name = file.string();
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (!std::filesystem::exists(status)) throw UserError(name + ": there is no such file");
  if (std::filesystem::is_directory(status))
    throw UserError(name + ": is a folder; an experiment is a YAML file");
  const auto bytes = std::filesystem::file_size(file, error);
  if (!error && bytes > kMostBytes)
    throw UserError(cat(name, ": has ", bytes, " bytes; that is no experiment"));
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (in.peek() != std::ifstream::traits_type::eof()) text << in.rdbuf();
  if (!in.is_open() || in.bad()) throw UserError(name + ": cannot be read");
  return text.str();
}

}  // namespace

Value parse_yaml(std::string_view text, const std::string& source) {
  refuse_binary(text, source);
  refuse_tabs(text, source);
  return parse(text, source, true);
}

Value read_yaml(const std::filesystem::path& file) {
  const std::string name = file.string();
  Value tree = parse_yaml(read_text(file), name);
  if (tree.is(Value::Kind::null)) throw UserError(name + ": is empty");
  if (!tree.is(Value::Kind::map))
    throw error_at(tree.mark(), "",
                   cat("an experiment is a map of keys, this is ", name_of(tree.kind())));
  return tree;
}

Value parse_override_text(std::string_view text, const std::string& source) {
  return parse(text, source, false);
}

}  // namespace latent
