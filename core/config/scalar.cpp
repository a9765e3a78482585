#include "core/config/scalar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace latent {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string_view without_sign(std::string_view text) {
  return !text.empty() && (text[0] == '-' || text[0] == '+') ? text.substr(1) : text;
}

/// 010 and 0x1F: a number whose base depends on the version of YAML.
bool has_other_base(std::string_view digits) {
  if (digits.size() < 2 || digits[0] != '0') return false;
  const bool prefix = digits[1] == 'x' || digits[1] == 'o' || digits[1] == 'b';
  const std::string_view rest = digits.substr(prefix ? 2 : 1);
  return !rest.empty() && std::all_of(rest.begin(), rest.end(), [&](char c) {
    return is_digit(c) || (prefix && std::string_view("abcdefABCDEF_").find(c) != rest.npos);
  });
}

/// Digits, at most one point, an exponent: 1, .5, 2., 1e-4.
bool looks_real(std::string_view text) {
  size_t i = 0, digits = 0;
  for (bool point = false; i < text.size(); ++i) {
    if (is_digit(text[i])) {
      ++digits;
    } else if (text[i] == '.' && !point) {
      point = true;
    } else {
      break;
    }
  }
  if (digits == 0 || i == text.size()) return digits > 0;
  if (text[i] != 'e' && text[i] != 'E') return false;
  const std::string_view exponent = without_sign(text.substr(i + 1));
  return !exponent.empty() && std::all_of(exponent.begin(), exponent.end(), is_digit);
}

template <class T>
T read_number(std::string_view text, const Mark& mark) {
  const std::string_view body = text[0] == '+' ? text.substr(1) : text;
  T number{};
  const auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), number);
  if (error != std::errc() || end != body.data() + body.size())
    throw error_at(mark, "",
                   cat("`", text,
                       "` is too large or too small for a 64-bit number; quote it "
                       "where it is text"));
  return number;
}

}  // namespace

Value read_plain(const std::string& text, const Mark& mark) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    Value nothing;
    nothing.set_mark(mark);
    return nothing;
  }
  if (text == "true" || text == "false") return Value(text == "true", mark);
  const std::string_view digits = without_sign(text);
  if (digits == ".inf") {
    const double infinity = std::numeric_limits<double>::infinity();
    return Value(text[0] == '-' ? -infinity : infinity, mark);
  }
  if (text == ".nan") return Value(std::nan(""), mark);
  if (has_other_base(digits))
    throw error_at(mark, "",
                   cat("`", text,
                       "` is not the same number in every version of YAML (a leading 0 "
                       "is octal in some); write it in decimal, or quote it where it is "
                       "text"));
  if (!digits.empty() && std::all_of(digits.begin(), digits.end(), is_digit))
    return Value(read_number<int64_t>(text, mark), mark);
  if (looks_real(digits)) return Value(read_number<double>(text, mark), mark);
  return Value(text, mark);
}

bool plain_is_safe(std::string_view text) {
  if (text.empty() || !(is_letter(text[0]) || is_digit(text[0]) || text[0] == '_')) {
    if (text.empty() || (text[0] != '/' && text[0] != '$')) return false;
  }
  if (text.back() == ' ') return false;
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || is_digit(c) ||
           std::string_view("_./$+-@% ").find(c) != std::string_view::npos;
  });
  if (!plain) return false;
  // Words that some reader of YAML takes for a boolean or for nothing.
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  for (std::string_view word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
    if (lower == word) return false;
  const std::string_view digits = without_sign(text);
  return !looks_real(digits) && !has_other_base(digits);
}

std::string real_text(double value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value < 0 ? "-.inf" : ".inf";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string text(buffer, end);
  const size_t e = text.find('e');
  std::string mantissa = text.substr(0, e), exponent = e == text.npos ? "" : text.substr(e);
  // YAML 1.1 wants the point; the exponent needs no leading zero.
  if (mantissa.find('.') == mantissa.npos) mantissa += ".0";
  if (exponent.size() == 4 && exponent[2] == '0') exponent.erase(2, 1);
  return mantissa + exponent;
}

}  // namespace latent
