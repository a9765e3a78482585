#include "core/config/choice.h"

#include <stdexcept>

#include "core/base/spelling.h"
#include "core/config/describe.h"

namespace latent {
namespace {

/// The one key of `map` that is a name of the family.
const Value::Entry& named_entry(Family family, const Value& map, const std::string& key) {
  const Value::Entry* named = nullptr;
  for (const auto& entry : map.entries()) {
    if (!find_choice(family, entry.key)) continue;
    if (named)
      throw error_at(entry.mark, key,
                     cat("names two of the family ", name_of(family), ", `", named->key, "` and `",
                         entry.key, "`; exactly one is a choice"));
    named = &entry;
  }
  if (named) return *named;
  const std::vector<std::string> names = names_of(family);
  std::string hint;
  for (const auto& entry : map.entries())
    if (hint.empty()) hint = did_you_mean(entry.key, names);
  throw error_at(map.mark(), key,
                 cat("`", to_flow(map), "` has no name of the family ", name_of(family),
                     "; allowed: ", built_names(family), hint));
}

/// {name: {option: v}} rather than {name: MAIN} whose MAIN is itself a map.
bool holds_options(Family family, const ChoiceSpec& spec, const Value& value) {
  if (!value.is(Value::Kind::map)) return false;
  const std::string main = main_of(family, spec);
  bool main_takes_maps = false, any_option = value.entries().empty();
  for (const Option& option : options_of(family, spec)) {
    if (option.name == main) main_takes_maps = takes_map(option.domain);
    if (value.find(option.name)) any_option = true;
  }
  return any_option || !main_takes_maps;
}

const ChoiceSpec& built(Family family, const std::string& name, const Mark& mark,
                        const std::string& key) {
  const ChoiceSpec* spec = find_choice(family, name);
  if (!spec) {
    const std::vector<std::string> names = names_of(family);
    throw error_at(mark, key,
                   cat("`", name, "` is no ", name_of(family), "; allowed: ", built_names(family),
                       did_you_mean(name, names)));
  }
  if (!spec->unbuilt.empty())
    throw error_at(mark, key, cat("`", name, "` is not built yet; it comes with ", spec->unbuilt));
  return *spec;
}

Value normal_form(const std::string& name, Value options, const Mark& mark) {
  Value choice = Value::make_map(mark);
  choice.set(name, std::move(options));
  return choice;
}

}  // namespace

const Value& Choice::option(std::string_view key) const {
  if (const Value* value = options.find(key)) return *value;
  throw std::logic_error(cat("choice ", name, ": has no option `", key, "`"));
}

Choice as_choice(const Value& value) {
  if (!value.is(Value::Kind::map) || value.entries().size() != 1 ||
      !value.entries()[0].value.is(Value::Kind::map))
    throw std::logic_error(cat("choice: `", to_flow(value), "` is not in normal form"));
  const auto& entry = value.entries()[0];
  return {entry.key, entry.value};
}

Value spell_out(Family family, const Value& value, const std::string& key) {
  if (value.is(Value::Kind::string)) {
    built(family, value.as_string(), value.mark(), key);
    return normal_form(value.as_string(), Value::make_map(value.mark()), value.mark());
  }
  if (!value.is(Value::Kind::map))
    throw error_at(value.mark(), key,
                   cat("is `", to_flow(value), "`, allowed: ", name_of(family), " (",
                       built_names(family), ")"));

  const Value::Entry& named = named_entry(family, value, key);
  const ChoiceSpec& spec = built(family, named.key, named.mark, key);
  const std::string inner = key + "." + named.key, main = main_of(family, spec);
  if (holds_options(family, spec, named.value)) {
    if (value.entries().size() > 1)
      throw error_at(value.mark(), inner,
                     "has options both inside and beside the name; write all of them inside");
    return normal_form(named.key, named.value, value.mark());
  }
  if (main.empty())
    throw error_at(named.value.mark(), inner, "takes no value; write the bare name");
  Value options = Value::make_map(value.mark());
  for (const auto& entry : value.entries()) {
    const std::string& option = &entry == &named ? main : entry.key;
    if (options.find(option))
      throw error_at(entry.mark, inner + "." + main,
                     cat("is given twice: it is what stands behind `", named.key, "`"));
    options.entries().push_back({option, entry.value, entry.mark});
  }
  return normal_form(named.key, std::move(options), value.mark());
}

}  // namespace latent
