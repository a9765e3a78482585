// Text of YAML to Values, strictly: what yaml-cpp lets pass (duplicate keys, merge keys, octal
// numbers, tabs) is refused.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/config/value.h"

namespace latent {

/// One document. `source` stands in marks and messages. Throws UserError with source, line and
/// column.
Value parse_yaml(std::string_view text, const std::string& source);

/// A file with one document that is a map. Throws UserError, also where it is missing or
/// unreadable.
Value read_yaml(const std::filesystem::path& file);

/// The text behind `=` of an override: every mark is `source` without line and column.
Value parse_override_text(std::string_view text, const std::string& source);

}  // namespace latent
