// Numbers as people read them: significant digits, thousands separators, durations.
#pragma once

#include <cstdint>
#include <string>

namespace latent {

/// `value` with `digits` significant digits and no trailing noise: 0.0921, 13.87, 1.2e-05,
/// 1,234,568. Not finite: "nan", "inf", "-inf".
std::string format_number(double value, int digits = 4);

/// The same with all `digits`, zeros included: for numbers that change in place.
std::string format_digits(double value, int digits = 4);

/// 1234567 -> "1,234,567".
std::string format_count(int64_t value);

/// 4.2 s, 3 min 05 s, 2 h 04 min.
std::string format_duration(double seconds);

/// 512 B, 3.2 kB, 47.1 MB (powers of 1000).
std::string format_bytes(double bytes);

}  // namespace latent
