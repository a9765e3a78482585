// A choice of a registered name, and the one function that reads its grammar:
//   name | {name: MAIN} | {name: MAIN, option: v} | {name: {option: v}}
#pragma once

#include <string>
#include <string_view>

#include "core/config/registry.h"
#include "core/config/value.h"

namespace latent {

/// A choice of a resolved tree. `Choice c = as_choice(value); c.name; c.option("units").as_int();`
struct Choice {
  std::string name;
  const Value& options;  ///< a map of every option; of the tree that the choice was taken from

  /// Throws std::logic_error where the part has no such option.
  const Value& option(std::string_view key) const;
};
/// `value` in normal form, as resolved trees have it (else std::logic_error). The result refers
/// into `value`.
Choice as_choice(const Value& value);
Choice as_choice(Value&&) = delete;

/// Any of the four spellings, in normal form with the options that were given and no others; they
/// are not checked. `key` is the dotted key, for messages. Throws UserError: no name of the family
/// or two, a value for a part without options, options both inside and beside the name, a part that
/// is not built yet.
Value spell_out(Family family, const Value& value, const std::string& key);

}  // namespace latent
