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

/// Does the value stand on the line whose first `column` characters are taken?
bool fits_on_line(const Value& value, size_t column) {
  return !is_collection(value) || is_empty(value) || column + 1 + to_flow(value).size() <= kColumns;
}

void write_block(std::string& out, const Value& value, size_t indent);

void write_entry(std::string& out, const Value::Entry& entry, size_t indent) {
  const std::string head = std::string(indent, ' ') + string_text(entry.key) + ":";
  // The sections of a file are always blocks: one key a line is what people compare.
  const bool section = indent == 0 && entry.value.is(Value::Kind::map) && !is_empty(entry.value);
  if (fits_on_line(entry.value, head.size()) && !section) {
    out += head + " " + to_flow(entry.value) + "\n";
  } else {
    out += head + "\n";
    write_block(out, entry.value, indent + 2);
  }
}

void write_element(std::string& out, const Value& element, size_t indent) {
  const std::string head = std::string(indent, ' ') + "-";
  if (fits_on_line(element, head.size())) {
    out += head + " " + to_flow(element) + "\n";
  } else {
    std::string block;
    write_block(block, element, indent + 2);
    out += head + " " + block.substr(indent + 2);  // its first line stands behind the dash
  }
}

/// A list or map that is not empty, in lines indented by `indent`.
void write_block(std::string& out, const Value& value, size_t indent) {
  if (value.is(Value::Kind::map)) {
    for (const auto& entry : value.entries()) write_entry(out, entry, indent);
  } else {
    for (const Value& element : value.list()) write_element(out, element, indent);
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
