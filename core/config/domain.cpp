#include "core/config/domain.h"

#include <regex.h>

#include <charconv>
#include <stdexcept>

#include "core/base/error.h"

namespace latent {

std::string_view name_of(Family family) {
  constexpr std::string_view kNames[kFamilies] = {
      "layer",    "corruption", "bottleneck", "decoder", "likelihood", "penalty",     "optimizer",
      "schedule", "evaluation", "threshold",  "figure",  "activation", "initialiser", "source"};
  return kNames[static_cast<int>(family)];
}

namespace {

/// from_chars, in either direction: 5 and not 5.000000.
double read_bound(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  double bound = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bound);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::logic_error(cat("interval: bound `", text, "`"));
  return bound;
}

}  // namespace

Interval::Interval(std::string_view text) {
  const size_t comma = text.find(',');
  const bool brackets = text.size() > 4 && (text.front() == '[' || text.front() == '(') &&
                        (text.back() == ']' || text.back() == ')');
  if (comma == text.npos || !brackets) throw std::logic_error(cat("interval: `", text, "`"));
  lo_open = text.front() == '(';
  hi_open = text.back() == ')';
  lo = read_bound(text.substr(1, comma - 1));
  hi = read_bound(text.substr(comma + 1, text.size() - comma - 2));
}

bool Interval::contains(double x) const {
  return (lo_open ? x > lo : x >= lo) && (hi_open ? x < hi : x <= hi);
}

std::string Interval::describe() const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (lo == -kInfinity && hi == kInfinity) return "";
  if (hi == kInfinity) return cat(lo_open ? "> " : ">= ", lo);
  if (lo == -kInfinity) return cat(hi_open ? "< " : "<= ", hi);
  return cat("in ", lo_open ? "(" : "[", lo, ", ", hi, hi_open ? ")" : "]");
}

namespace schema {
namespace {

Domain of_kind(Domain::Kind kind) {
  Domain domain;
  domain.kind = kind;
  return domain;
}

Domain number(Domain::Kind kind, std::string_view interval) {
  Domain domain = of_kind(kind);
  domain.interval = Interval(interval);
  return domain;
}

}  // namespace

Domain words(std::vector<std::string> words) {
  Domain domain = of_kind(Domain::Kind::words);
  domain.words = std::move(words);
  return domain;
}

Domain unbuilt(std::string note, std::vector<std::string> words) {
  Domain domain = of_kind(Domain::Kind::unbuilt);
  domain.note = std::move(note);
  domain.words = std::move(words);
  return domain;
}

Domain boolean() { return of_kind(Domain::Kind::boolean); }
Domain integer(std::string_view interval) { return number(Domain::Kind::integer, interval); }
Domain real(std::string_view interval) { return number(Domain::Kind::real, interval); }
Domain duration(std::string_view interval) { return number(Domain::Kind::duration, interval); }
Domain part() { return of_kind(Domain::Kind::part); }

Domain text(std::string pattern, std::string note) {
  Domain domain = of_kind(Domain::Kind::text);
  domain.pattern = std::move(pattern);
  domain.note = std::move(note);
  return domain;
}

Domain path(std::string pattern) {
  Domain domain = of_kind(Domain::Kind::path);
  domain.pattern = std::move(pattern);
  return domain;
}

Domain choice_of(Family family, std::vector<std::string> omit) {
  Domain domain = of_kind(Domain::Kind::choice);
  domain.family = family;
  domain.words = std::move(omit);
  return domain;
}

Domain name_of(Family family) {
  Domain domain = of_kind(Domain::Kind::name);
  domain.family = family;
  return domain;
}

Domain list_of(Domain element) {
  Domain domain = of_kind(Domain::Kind::list);
  domain.of.push_back(std::move(element));
  return domain;
}

Domain tuple_of(std::vector<Domain> places) {
  Domain domain = of_kind(Domain::Kind::tuple);
  domain.of = std::move(places);
  return domain;
}

Domain record(std::vector<Option> keys) {
  Domain domain = of_kind(Domain::Kind::record);
  domain.keys = std::move(keys);
  return domain;
}

Domain dictionary_of(Domain value) {
  Domain domain = of_kind(Domain::Kind::dictionary);
  domain.of.push_back(std::move(value));
  return domain;
}

Option option(std::string name, Domain domain, std::string fallback, std::string doc,
              std::string unit) {
  return {std::move(name), std::move(domain), std::move(fallback),
          std::move(doc),  std::move(unit),   ""};
}

Option required(std::string name, Domain domain, std::string doc, std::string unit) {
  return {std::move(name), std::move(domain), std::nullopt, std::move(doc), std::move(unit), ""};
}

Option contextual(std::string name, Domain domain, std::string context, std::string doc) {
  return {std::move(name), std::move(domain), std::nullopt, std::move(doc), "", std::move(context)};
}

}  // namespace schema

bool matches(const std::string& text, const std::string& pattern) {
  regex_t compiled;
  if (regcomp(&compiled, ("^(" + pattern + ")$").c_str(), REG_EXTENDED | REG_NOSUB) != 0)
    throw std::logic_error("regular expression: " + pattern);
  const bool found = regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
  regfree(&compiled);
  return found;
}

Domain operator|(Domain a, Domain b) {
  Domain either;
  either.kind = Domain::Kind::any_of;
  for (Domain* side : {&a, &b}) {
    if (side->kind == Domain::Kind::any_of) {
      for (Domain& inner : side->of) either.of.push_back(std::move(inner));
    } else {
      either.of.push_back(std::move(*side));
    }
  }
  return either;
}

}  // namespace latent
