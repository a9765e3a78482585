#include "core/report/number.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace latent {
namespace {

std::string print(const char* format, int precision, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, precision, value);
  return buffer;
}

/// "1.200e-05" -> "1.2e-05", "13.870" -> "13.87", "5.0" -> "5".
std::string drop_trailing_zeros(std::string text) {
  const size_t dot = text.find('.');
  if (dot == std::string::npos) return text;
  size_t end = text.find('e');
  if (end == std::string::npos) end = text.size();
  size_t last = end;
  while (text[last - 1] == '0') --last;
  if (last - 1 == dot) --last;
  return text.erase(last, end - last);
}

}  // namespace

std::string format_digits(double value, int digits) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  if (value == 0) return "0";
  // Rounding may carry into one digit more, so the exponent is read off the rounded number.
  const std::string rounded = print("%.*e", digits - 1, value);
  const int exponent = std::atoi(rounded.c_str() + rounded.find('e') + 1);
  if (exponent < -4 || exponent >= 15) return rounded;
  const int decimals = std::max(0, digits - 1 - exponent);
  return decimals == 0 ? format_count(std::llround(value)) : print("%.*f", decimals, value);
}

std::string format_number(double value, int digits) {
  return drop_trailing_zeros(format_digits(value, digits));
}

std::string format_count(int64_t value) {
  std::string text = std::to_string(value);
  const int first = value < 0 ? 1 : 0;
  for (int i = static_cast<int>(text.size()) - 3; i > first; i -= 3) text.insert(i, 1, ',');
  return text;
}

std::string format_duration(double seconds) {
  if (!(seconds >= 0) || std::isinf(seconds)) return "-";
  if (seconds < 9.95) return print("%.*f s", 1, seconds);
  const int64_t total = std::llround(seconds);
  char buffer[64];
  if (total < 60) {
    std::snprintf(buffer, sizeof buffer, "%d s", static_cast<int>(total));
  } else if (total < 3600) {
    std::snprintf(buffer, sizeof buffer, "%d min %02d s", static_cast<int>(total / 60),
                  static_cast<int>(total % 60));
  } else {
    std::snprintf(buffer, sizeof buffer, "%lld h %02d min", static_cast<long long>(total / 3600),
                  static_cast<int>(total % 3600 / 60));
  }
  return buffer;
}

std::string format_bytes(double bytes) {
  constexpr const char* kNames[] = {"B", "kB", "MB", "GB", "TB"};
  size_t i = 0;
  while (bytes >= 999.5 && i + 1 < std::size(kNames)) bytes /= 1000, ++i;
  return format_number(bytes, 3) + " " + kNames[i];
}

}  // namespace latent
