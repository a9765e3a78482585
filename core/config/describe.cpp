#include "core/config/describe.h"

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/base/spelling.h"
#include "core/config/registry.h"
#include "core/config/schema.h"

namespace latent {
namespace {

using Kind = Domain::Kind;

constexpr size_t kColumns = 100, kDocColumn = 50;

std::string with_range(std::string_view what, const Interval& interval) {
  const std::string range = interval.describe();
  return cat(what, range.empty() ? "" : " ", range);
}

std::string describe_any(const Domain& domain, bool for_message);

std::string describe_one(const Domain& domain, bool for_message) {
  switch (domain.kind) {
    case Kind::words:
      return join(domain.words, " | ");
    case Kind::unbuilt:
      return "";
    case Kind::boolean:
      return "true | false";
    case Kind::integer:
      return with_range("integer", domain.interval);
    case Kind::real:
      return with_range("real", domain.interval);
    case Kind::text:
      return domain.note.empty() ? "text" : domain.note;
    case Kind::duration:
      return for_message
                 ? with_range("duration (500 steps as 500, `10 epochs`, `5 %`)", domain.interval)
                 : "duration";
    case Kind::part:
      return for_message ? "a number of rows >= 1, or a share in (0, 1]" : "rows or share";
    case Kind::path:
      return "path";
    case Kind::choice:
    case Kind::name:
      return cat(name_of(domain.family),
                 for_message ? " (" + built_names(domain.family) + ")" : std::string());
    case Kind::list:
      return "list of " + describe_any(domain.of[0], for_message);
    case Kind::tuple: {
      std::vector<std::string> places;
      for (const Domain& place : domain.of) places.push_back(describe_any(place, for_message));
      return "[" + join(places, ", ") + "]";
    }
    case Kind::record: {
      std::vector<std::string> keys;
      for (const Option& key : domain.keys) keys.push_back(key.name);
      return "{" + join(keys, ", ") + "}";
    }
    case Kind::dictionary:
      return "map to " + describe_any(domain.of[0], for_message);
    case Kind::any_of:
      break;
  }
  return describe_any(domain, for_message);
}

std::string describe_any(const Domain& domain, bool for_message) {
  if (domain.kind != Kind::any_of) return describe_one(domain, for_message);
  std::vector<std::string> alternatives;
  for (const Domain& inner : domain.of) {
    const std::string text = describe_one(inner, for_message);
    if (!text.empty()) alternatives.push_back(text);
  }
  return join(alternatives, " | ");
}

/// Appends words to `line` so that they end before the last column; further lines begin at `margin`.
void wrap(std::string& out, std::string line, const std::string& text, size_t margin) {
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    if (line.size() + 1 + end - begin > kColumns && line.size() > margin) {
      out += line + "\n";
      line.assign(margin, ' ');
    }
    if (line.size() > margin) line += ' ';
    line += text.substr(begin, end - begin);
    begin = end + 1;
  }
  out += line + "\n";
}

/// "  lr              learning rate (real > 0; default 1e-3)".
void describe_option(std::string& out, const Option& option, size_t indent) {
  constexpr size_t kName = 16;
  std::string line = std::string(indent, ' ') + option.name;
  line.resize(std::max(line.size() + 1, indent + kName), ' ');
  std::string text = option.doc;
  if (!option.unit.empty()) text += ", in " + option.unit;
  text += " (" + describe(option.domain);
  if (option.fallback) {
    text += "; default " + *option.fallback + ")";
  } else {
    text += option.context.empty() ? "; required)" : "; default: " + option.context + ")";
  }
  wrap(out, line, text, indent + kName);
}

void describe_options(std::string& out, const std::vector<Option>& options, size_t indent) {
  for (const Option& option : options) describe_option(out, option, indent);
}

void describe_part(std::string& out, Family family, const ChoiceSpec& spec) {
  std::string doc = spec.doc;
  if (!spec.shares.empty()) doc += " (and the options of " + join(spec.shares, ", ") + ")";
  std::string line = "  " + spec.name;
  line.resize(std::max<size_t>(line.size() + 1, 20), ' ');
  wrap(out, line, doc, 20);
  if (family != Family::source) describe_options(out, spec.options, 4);
}

void describe_family(std::string& out, Family family) {
  std::map<std::string, std::vector<std::string>> unbuilt;  // by what they come with
  std::vector<std::string> groups;
  out += std::string(name_of(family)) + "\n";
  if (const OptionGroup& own = option_group(name_of(family));
      !own.leading.empty() || !own.trailing.empty()) {
    out += cat("  every ", name_of(family), "\n");
    describe_options(out, own.leading, 4);
    describe_options(out, own.trailing, 4);
  }
  for (const std::string& name : names_of(family)) {
    const ChoiceSpec& spec = *find_choice(family, name);
    if (!spec.unbuilt.empty()) {
      unbuilt[spec.unbuilt].push_back(name);
      continue;
    }
    describe_part(out, family, spec);
    for (const std::string& group : spec.shares)
      if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
  }
  for (const std::string& group : groups) {
    out += "  options of " + group + "\n";
    describe_options(out, option_group(group).leading, 4);
    describe_options(out, option_group(group).trailing, 4);
  }
  for (const auto& [reason, names] : unbuilt)
    wrap(out, "  not built yet:", join(names, ", ") + " (with " + reason + ")", 4);
  out += "\n";
}

}  // namespace

std::string describe(const Domain& domain) { return describe_any(domain, false); }
std::string allowed(const Domain& domain) { return describe_any(domain, true); }

std::string built_names(Family family) {
  std::vector<std::string> built;
  for (const std::string& name : names_of(family))
    if (find_choice(family, name)->unbuilt.empty()) built.push_back(name);
  return built.empty() ? "none is built" : join(built, ", ");
}

bool takes_map(const Domain& domain) {
  switch (domain.kind) {
    case Kind::choice:
    case Kind::record:
    case Kind::dictionary:
      return true;
    case Kind::any_of:
      return std::any_of(domain.of.begin(), domain.of.end(), takes_map);
    default:
      return false;
  }
}

std::string describe_parts() {
  std::string out =
      "A part is written `name`, `{name: MAIN}`, `{name: MAIN, option: value}` or\n"
      "`{name: {option: value}}`. MAIN is the first option listed.\n\n";
  for (int f = 0; f < kFamilies; ++f) describe_family(out, static_cast<Family>(f));
  out.pop_back();
  return out;
}

std::string describe_keys() {
  std::string out;
  for (const Option& section : experiment_keys()) {
    if (section.domain.kind == Kind::record) {
      wrap(out, section.name + ":", section.doc, section.name.size() + 1);
      describe_options(out, section.domain.keys, 2);
    } else {
      describe_option(out, section, 0);
    }
  }
  return out;
}

}  // namespace latent
