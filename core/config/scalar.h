// How an unquoted word of YAML is read. Only true and false are booleans; numbers are decimal.
#pragma once

#include <string>
#include <string_view>

#include "core/config/value.h"

namespace latent {

/// The value of an unquoted scalar. Throws UserError on numbers that YAML 1.1 and 1.2 read
/// differently (010, 0x1F) and on numbers that do not fit.
Value read_plain(const std::string& text, const Mark& mark);

/// Would these characters, unquoted, be read as this very string, in a block and within [] and {}?
bool plain_is_safe(std::string_view text);

/// The shortest text that reads as the same real: "1.0e-5", "0.5", "2.0".
std::string real_text(double value);

}  // namespace latent
