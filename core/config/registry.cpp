#include "core/config/registry.h"

#include <array>
#include <map>
#include <set>
#include <stdexcept>

#include "core/config/resolve.h"

namespace latent {
namespace {

struct Registry {
  std::array<std::map<std::string, ChoiceSpec, std::less<>>, kFamilies> families;
  std::map<std::string, OptionGroup, std::less<>> groups;
};

/// Made at first use: registrations run before main in any order.
Registry& registry() {
  static Registry all;
  return all;
}

void append(std::vector<Option>& all, const std::vector<Option>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

RegisterChoice::RegisterChoice(Family family, ChoiceSpec spec) {
  auto& members = registry().families[static_cast<int>(family)];
  const auto found = members.find(spec.name);
  if (found == members.end() || !found->second.unbuilt.empty()) {
    if (found != members.end() && !spec.unbuilt.empty()) return;
    members.insert_or_assign(spec.name, std::move(spec));
  } else if (spec.unbuilt.empty()) {
    throw std::logic_error(cat(name_of(family), " ", spec.name, ": registered twice"));
  }
}

RegisterOptions::RegisterOptions(std::string group, std::vector<Option> options, Place place) {
  OptionGroup& known = registry().groups[std::move(group)];
  append(place == leading ? known.leading : known.trailing, options);
}

const OptionGroup& option_group(std::string_view name) {
  static const OptionGroup none;
  const auto found = registry().groups.find(name);
  return found == registry().groups.end() ? none : found->second;
}

std::vector<std::string> names_of(Family family) {
  std::vector<std::string> names;
  for (const auto& [name, spec] : registry().families[static_cast<int>(family)])
    names.push_back(name);
  return names;
}

const ChoiceSpec* find_choice(Family family, std::string_view name) {
  const auto& members = registry().families[static_cast<int>(family)];
  const auto found = members.find(name);
  return found == members.end() ? nullptr : &found->second;
}

std::vector<Option> options_of(Family family, const ChoiceSpec& spec) {
  const OptionGroup& shared = option_group(name_of(family));
  std::vector<Option> all = shared.leading;
  append(all, spec.options);
  for (const std::string& name : spec.shares) {
    append(all, option_group(name).leading);
    append(all, option_group(name).trailing);
  }
  append(all, shared.trailing);
  return all;
}

std::string main_of(Family family, const ChoiceSpec& spec) {
  const OptionGroup& shared = option_group(name_of(family));
  if (!shared.leading.empty()) return shared.leading.front().name;
  return spec.options.empty() ? "" : spec.options.front().name;
}

std::vector<std::string> check_registry() {
  std::vector<std::string> wrong;
  for (int f = 0; f < kFamilies; ++f) {
    const Family family = static_cast<Family>(f);
    for (const auto& [name, spec] : registry().families[f]) {
      if (!spec.unbuilt.empty()) continue;
      const std::string part = cat(name_of(family), " ", name);
      for (const std::string& group : spec.shares)
        if (!registry().groups.contains(group))
          wrong.push_back(cat(part, ": shares the group `", group, "`, which nobody registered"));
      std::set<std::string> seen;
      for (const Option& option : options_of(family, spec)) {
        if (find_choice(family, option.name))
          wrong.push_back(cat(part, ": its option `", option.name, "` is a name of the family"));
        if (!seen.insert(option.name).second)
          wrong.push_back(cat(part, ": has the option `", option.name, "` twice"));
        try {
          if (option.fallback) resolve_default(option, part);
        } catch (const std::exception& e) {
          wrong.push_back(cat(part, ": default of `", option.name, "`: ", e.what()));
        }
      }
    }
  }
  return wrong;
}

}  // namespace latent
