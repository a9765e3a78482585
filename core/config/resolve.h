// Checks a tree against the schema and writes it out: every default in place, every choice in normal form.
#pragma once

#include <string>

#include "core/config/domain.h"
#include "core/config/value.h"

namespace latent {

/// `given` as `domain` has it. `key` is its dotted key, for messages.
/// Throws one UserError: place, key, what was given, what is allowed, and the nearest spelling.
Value resolve_value(const Value& given, const Domain& domain, const std::string& key);

/// A map of `keys`, in their order. `without` are keys that are neither required nor taken.
Value resolve_keys(const Value& given, const std::vector<Option>& keys, const std::string& key,
                   const std::vector<std::string>& without = {});

/// The default of an option that has one.
Value resolve_default(const Option& option, const std::string& key);

/// Is the value one of the domain? What lies inside lists, maps and choices is not looked at.
bool fits(const Value& value, const Domain& domain);

}  // namespace latent
