// Values as text: YAML in blocks, YAML on one line, JSON.
#include <nlohmann/json.hpp>

#include "core/base/sha256.h"
#include "core/config/scalar.h"
#include "core/config/value.h"

namespace latent {
namespace {

constexpr size_t kColumns = 100;

std::string string_text(const std::string& text) {
  if (plain_is_safe(text)) return text;
  // A JSON string is a double-quoted scalar of YAML.
  using Json = nlohmann::json;
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_empty(const Value& value) {
  return (value.is(Value::Kind::list) && value.list().empty()) ||
         (value.is(Value::Kind::map) && value.entries().empty());
}

bool is_collection(const Value& value) {
  return value.is(Value::Kind::list) || value.is(Value::Kind::map);
}

/// Appends `value` behind "key:" or "-", in `column`, on this line where it fits, else as a block
/// indented by `indent`.
void write_block(std::string& out, const Value& value, size_t indent);

void write_entry(std::string& out, const Value& value, size_t indent, size_t column, bool spread) {
  const std::string flow = to_flow(value);
  const bool fits = column + 1 + flow.size() <= kColumns && !spread;
  if (!is_collection(value) || is_empty(value) || fits) {
    out += " " + flow + "\n";
  } else {
    out += "\n";
    write_block(out, value, indent);
  }
}

void write_block(std::string& out, const Value& value, size_t indent) {
  const std::string margin(indent, ' ');
  if (value.is(Value::Kind::map)) {
    for (const auto& [key, child, mark] : value.entries()) {
      const std::string head = margin + string_text(key) + ":";
      out += head;
      // The sections of a file are always blocks: one key a line is what people compare.
      const bool spread = indent == 0 && child.is(Value::Kind::map);
      write_entry(out, child, indent + 2, head.size(), spread);
    }
    return;
  }
  for (const Value& child : value.list()) {
    out += margin + "-";
    write_entry(out, child, indent + 2, indent + 1, false);
  }
}

}  // namespace

std::string to_flow(const Value& value) {
  std::string text;
  switch (value.kind()) {
    case Value::Kind::null:
      return "null";
    case Value::Kind::boolean:
      return value.as_bool() ? "true" : "false";
    case Value::Kind::integer:
      return std::to_string(value.as_int());
    case Value::Kind::real:
      return real_text(value.as_real());
    case Value::Kind::string:
      return string_text(value.as_string());
    case Value::Kind::list:
      for (const Value& element : value.list())
        text += (text.empty() ? "" : ", ") + to_flow(element);
      return "[" + text + "]";
    case Value::Kind::map:
      for (const auto& [key, child, mark] : value.entries())
        text += (text.empty() ? "" : ", ") + string_text(key) + ": " + to_flow(child);
      return "{" + text + "}";
  }
  throw std::logic_error("value: of no kind");
}

std::string to_yaml(const Value& value) {
  if (!is_collection(value) || is_empty(value)) return to_flow(value) + "\n";
  std::string text;
  write_block(text, value, 0);
  return text;
}

nlohmann::ordered_json to_json(const Value& value) {
  using Json = nlohmann::ordered_json;
  switch (value.kind()) {
    case Value::Kind::null:
      return nullptr;
    case Value::Kind::boolean:
      return value.as_bool();
    case Value::Kind::integer:
      return value.as_int();
    case Value::Kind::real:
      return value.as_real();
    case Value::Kind::string:
      return value.as_string();
    case Value::Kind::list: {
      Json list = Json::array();
      for (const Value& element : value.list()) list.push_back(to_json(element));
      return list;
    }
    case Value::Kind::map: {
      Json map = Json::object();
      for (const auto& [key, child, mark] : value.entries()) map[key] = to_json(child);
      return map;
    }
  }
  throw std::logic_error("value: of no kind");
}

std::string hash_of(const Value& value) { return sha256_hex(to_flow(value)); }

}  // namespace latent
