// The registry of named parts. Each part's file registers its name, its options and a line of text;
// the reader of YAML checks against it and `latent info parts` prints it.
//
//   using namespace schema;
//   const RegisterChoice adam{Family::optimizer, {"adam", "Adam (Kingma & Ba 2015)",
//       {option("lr", real("(0, inf)"), "1e-3", "learning rate"),            // the first option is
//       MAIN
//        option("betas", tuple_of({real("[0, 1)"), real("[0, 1)")}), "[0.9, 0.999]", "decay of the
//        moments")}}};
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/config/domain.h"

namespace latent {

struct ChoiceSpec {
  std::string name;
  std::string doc;                  ///< one line
  std::vector<Option> options;      ///< its own; the first is MAIN
  std::vector<std::string> shares;  ///< groups of options that it has too, behind its own
  std::string
      unbuilt;  ///< not empty: the name is known, refused, and this says what it comes with: "tables"
};

/// Registers a part at namespace scope of its file. A name registered as built replaces the same
/// name unbuilt; two built parts of one name throw std::logic_error.
struct RegisterChoice {
  RegisterChoice(Family family, ChoiceSpec spec);
};

/// Options that several parts have: of a group named in `shares`, or of a whole family where the
/// group is the family's name. `leading` ones stand before a part's own options, so the first of
/// them is MAIN (weight of every penalty).
struct RegisterOptions {
  enum Place { trailing, leading };
  RegisterOptions(std::string group, std::vector<Option> options, Place place = trailing);
};

struct OptionGroup {
  std::vector<Option> leading, trailing;
};
/// The options registered for a group; none for an unknown one.
const OptionGroup& option_group(std::string_view name);

/// All names of a family, built or not, in alphabetical order.
std::vector<std::string> names_of(Family family);
/// nullptr where the family has no such name.
const ChoiceSpec* find_choice(Family family, std::string_view name);
/// Every option of a part: leading ones of its family, its own, those of its groups, the family's.
std::vector<Option> options_of(Family family, const ChoiceSpec& spec);
/// MAIN's name, "" for a part that has none: the first of the leading and own options.
std::string main_of(Family family, const ChoiceSpec& spec);

/// What is wrong with the registry, a line each: an option called like a name of its family or
/// twice, a default that its own domain refuses, a group that nobody registered. Empty: all is
/// well.
std::vector<std::string> check_registry();

}  // namespace latent
