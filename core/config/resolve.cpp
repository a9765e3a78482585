#include "core/config/resolve.h"

#include <algorithm>
#include <cmath>

#include "core/base/spelling.h"
#include "core/config/choice.h"
#include "core/config/describe.h"
#include "core/config/duration.h"
#include "core/config/files.h"
#include "core/config/parse.h"

namespace latent {
namespace {

using Kind = Domain::Kind;

std::string shown(const Value& value) {
  if (value.is(Value::Kind::null)) return "is empty";
  const std::string text = to_flow(value);
  return "is `" + (text.size() > 60 ? text.substr(0, 57) + "..." : text) + "`";
}

/// Text, or true and 1 as they are written.
bool contains(const std::vector<std::string>& words, const Value& value) {
  const std::string word = value.is(Value::Kind::string) ? value.as_string() : to_flow(value);
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Words and names that text at this place could have meant.
void gather_words(const Domain& domain, std::vector<std::string>& all) {
  if (domain.kind == Kind::words || domain.kind == Kind::unbuilt)
    all.insert(all.end(), domain.words.begin(), domain.words.end());
  if (domain.kind == Kind::boolean) all.insert(all.end(), {"true", "false"});
  if (domain.kind == Kind::choice || domain.kind == Kind::name)
    for (const std::string& name : names_of(domain.family)) all.push_back(name);
  if (domain.kind == Kind::any_of)
    for (const Domain& inner : domain.of) gather_words(inner, all);
}

UserError refused(const Value& value, const Domain& domain, const std::string& key) {
  std::string message = cat(shown(value), ", allowed: ", allowed(domain));
  if (value.is(Value::Kind::string)) {
    std::vector<std::string> words;
    gather_words(domain, words);
    message += did_you_mean(value.as_string(), words);
  }
  return error_at(value.mark(), key, message);
}

bool is_number(const Value& value) {
  return value.is(Value::Kind::integer) || value.is(Value::Kind::real);
}

bool is_inside(double number, const Interval& interval) {
  return std::isfinite(number) && interval.contains(number);
}

/// Rows as an integer, or a share as a real.
bool is_part(const Value& value) {
  if (value.is(Value::Kind::integer)) return value.as_int() >= 1;
  return value.is(Value::Kind::real) && value.as_real() > 0 && value.as_real() <= 1;
}

bool is_duration(const Value& value, const Interval& interval) {
  if (value.is(Value::Kind::integer)) return interval.contains(value.as_real());
  if (!value.is(Value::Kind::string)) return false;
  const auto duration = parse_duration(value.as_string());
  return duration && is_inside(duration->amount, interval);
}

/// What lies beside the file that names it is written out in full, so that a copy of the file elsewhere means the same.
Value resolve_file(const Value& given) {
  if (given.mark().source.empty()) return given;
  const auto beside = find_beside(given.as_string(), folder_of(given.mark()));
  return beside ? Value(beside->string(), given.mark()) : given;
}

Value resolve_choice(const Value& given, const Domain& domain, const std::string& key) {
  Value choice = spell_out(domain.family, given, key);
  auto& entry = choice.entries()[0];
  const ChoiceSpec& spec = *find_choice(domain.family, entry.key);
  const std::string inner = key.empty() ? entry.key : key + "." + entry.key;
  entry.value = resolve_keys(entry.value, options_of(domain.family, spec), inner, domain.words);
  return choice;
}

Value resolve_name(const Value& given, const Domain& domain, const std::string& key) {
  spell_out(domain.family, given, key);
  return given;
}

Value resolve_list(const Value& given, const Domain& domain, const std::string& key) {
  const bool tuple = domain.kind == Kind::tuple;
  Value list = Value::make_list({}, given.mark());
  for (size_t i = 0; i < given.list().size(); ++i)
    list.list().push_back(
        resolve_value(given.list()[i], domain.of[tuple ? i : 0], cat(key, ".", i)));
  return list;
}

Value resolve_dictionary(const Value& given, const Domain& domain, const std::string& key) {
  Value map = Value::make_map(given.mark());
  for (const auto& entry : given.entries())
    map.entries().push_back(
        {entry.key, resolve_value(entry.value, domain.of[0], key + "." + entry.key), entry.mark});
  return map;
}

/// The alternative whose own message says most about a value that fits none.
const Domain& nearest_alternative(const Value& value, const Domain& domain) {
  if (value.is(Value::Kind::map))
    for (const Domain& inner : domain.of)
      if (inner.kind == Kind::choice || inner.kind == Kind::record) return inner;
  return domain;
}

Value resolve_any(const Value& given, const Domain& domain, const std::string& key) {
  for (const Domain& inner : domain.of)
    if (fits(given, inner)) return resolve_value(given, inner, key);
  const Domain& nearest = nearest_alternative(given, domain);
  if (&nearest == &domain) throw refused(given, domain, key);
  return resolve_value(given, nearest, key);
}

}  // namespace

bool fits(const Value& value, const Domain& domain) {
  const bool is_text = value.is(Value::Kind::string);
  switch (domain.kind) {
    case Kind::words:
      return contains(domain.words, value);
    case Kind::unbuilt:
      return domain.words.empty() ? !value.is(Value::Kind::null) : contains(domain.words, value);
    case Kind::boolean:
      return value.is(Value::Kind::boolean);
    case Kind::integer:
      return value.is(Value::Kind::integer) && domain.interval.contains(value.as_real());
    case Kind::real:
      return is_number(value) && is_inside(value.as_real(), domain.interval);
    case Kind::part:
      return is_part(value);
    case Kind::text:
    case Kind::path:
      return is_text && (domain.pattern.empty() || matches(value.as_string(), domain.pattern));
    case Kind::duration:
      return is_duration(value, domain.interval);
    case Kind::name:
      return is_text && find_choice(domain.family, value.as_string());
    case Kind::choice:
      if (is_text) return find_choice(domain.family, value.as_string());
      return value.is(Value::Kind::map) &&
             std::any_of(value.entries().begin(), value.entries().end(),
                         [&](const auto& e) { return find_choice(domain.family, e.key); });
    case Kind::list:
      return value.is(Value::Kind::list);
    case Kind::tuple:
      return value.is(Value::Kind::list) && value.list().size() == domain.of.size();
    case Kind::record:
    case Kind::dictionary:
      return value.is(Value::Kind::map);
    case Kind::any_of:
      return std::any_of(domain.of.begin(), domain.of.end(),
                         [&](const Domain& inner) { return fits(value, inner); });
  }
  throw std::logic_error("domain: of no kind");
}

Value resolve_value(const Value& given, const Domain& domain, const std::string& key) {
  if (domain.kind == Kind::any_of) return resolve_any(given, domain, key);
  // A choice says by itself what is wrong with a map.
  const bool explains = domain.kind == Kind::choice && given.is(Value::Kind::map);
  if (!fits(given, domain) && !explains) throw refused(given, domain, key);
  switch (domain.kind) {
    case Kind::unbuilt:
      throw error_at(given.mark(), key,
                     cat(shown(given), ", which is not built yet; it comes with ", domain.note));
    case Kind::real:
      return Value(given.as_real(), given.mark());
    case Kind::duration:
      return to_value(as_duration(given), given.mark());
    case Kind::path:
      return resolve_file(given);
    case Kind::choice:
      return resolve_choice(given, domain, key);
    case Kind::name:
      return resolve_name(given, domain, key);
    case Kind::list:
    case Kind::tuple:
      return resolve_list(given, domain, key);
    case Kind::record:
      return resolve_keys(given, domain.keys, key);
    case Kind::dictionary:
      return resolve_dictionary(given, domain, key);
    default:
      return given;
  }
}

Value resolve_default(const Option& option, const std::string& key) {
  const Value value = parse_override_text(*option.fallback, "default");
  return resolve_value(value, option.domain, key);
}

Value resolve_keys(const Value& given, const std::vector<Option>& keys, const std::string& key,
                   const std::vector<std::string>& without) {
  const std::string prefix = key.empty() ? "" : key + ".";
  std::vector<Option> taken;
  std::vector<std::string> names;
  for (const Option& option : keys) {
    if (has(without, option.name)) continue;
    taken.push_back(option);
    names.push_back(option.name);
  }
  for (const auto& entry : given.entries()) {
    if (has(names, entry.key)) continue;
    const std::string none = names.empty() ? "none" : join(names, ", ");
    throw error_at(entry.mark, prefix + entry.key,
                   cat(has(without, entry.key) ? "is not taken here" : "unknown key",
                       "; allowed: ", none, did_you_mean(entry.key, names)));
  }
  Value resolved = Value::make_map(given.mark());
  for (const Option& option : taken) {
    const std::string inner = prefix + option.name;
    if (const Value* value = given.find(option.name)) {
      resolved.set(option.name, resolve_value(*value, option.domain, inner));
    } else if (option.fallback) {
      resolved.set(option.name, resolve_default(option, inner)).set_mark(given.mark());
    } else {
      throw error_at(given.mark(), inner,
                     cat("is missing: ", option.doc, "; allowed: ", allowed(option.domain)));
    }
  }
  return resolved;
}

}  // namespace latent
