// What a key or an option takes: the declarative language of the schema. One struct serves the keys
// of a file, the options of parts, the reader, its messages and the printed reference.
//
//   option("rate", real("[0, 1)"), "0.5", "share of the elements set to zero")
//   option("clip", words({"none"}) | real("(0, inf)"), "none", "largest gradient norm")
//   required("units", integer("[1, inf)") | list_of(integer("[1, inf)")), "width, or one for each
//   of several layers")
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace latent {

enum class Family {
  layer,
  corruption,
  bottleneck,
  decoder,
  likelihood,
  penalty,
  optimizer,
  schedule,
  evaluation,
  threshold,
  figure,
  activation,
  initialiser,
  source,
};
inline constexpr int kFamilies = static_cast<int>(Family::source) + 1;
std::string_view name_of(Family family);

/// A range of numbers, written as in mathematics: "[0, 1)", "(0, inf)", "(-inf, inf)". Throws
/// std::logic_error.
struct Interval {
  double lo = -std::numeric_limits<double>::infinity(),
         hi = std::numeric_limits<double>::infinity();
  bool lo_open = true, hi_open = true;

  Interval() = default;
  explicit Interval(std::string_view text);
  bool contains(double x) const;
  /// ">= 1", "> 0", "in [0, 1)"; "" where every number is inside.
  std::string describe() const;
};

struct Option;

struct Domain {
  enum class Kind {
    words,    ///< one of `words`
    unbuilt,  ///< one of `words` (anything, where there are none): known, refused, `note` says what
              ///< it comes with
    boolean,  ///< true | false
    integer,  ///< in `interval`
    real,     ///< in `interval`; integers too, stored as reals
    text,     ///< matches `pattern` (POSIX, extended) where there is one; `note` says it in words
    duration,    ///< steps, epochs or per cent, see duration.h
    part,        ///< rows as an integer, or a share in (0, 1]
    path,        ///< a file's name; with `pattern`, only text that matches it
    choice,      ///< CHOICE of `family`, without the options named in `words`
    name,        ///< a bare name of `family`
    list,        ///< of of[0]
    tuple,       ///< a list with a domain for each place
    record,      ///< a map with these `keys`
    dictionary,  ///< a map of any keys to of[0]
    any_of,      ///< the first of `of` that fits
  };
  Kind kind = Kind::text;
  std::vector<std::string> words;
  Interval interval;
  Family family{};
  std::string pattern, note;
  std::vector<Domain> of;
  std::vector<Option> keys;
};

struct Option {
  std::string name;
  Domain domain;
  std::optional<std::string>
      fallback;     ///< YAML text of the default; a key without one is required, or `context` says
  std::string doc;  ///< one line
  std::string unit;
  std::string context;  ///< a default that depends on other keys, in words: "the file's stem"
};

namespace schema {

Domain words(std::vector<std::string> words);
/// These words (all that nothing else takes, where there are none) are refused as not built yet;
/// `note`: what with.
Domain unbuilt(std::string note, std::vector<std::string> words = {});
Domain boolean();
Domain integer(std::string_view interval = "(-inf, inf)");
Domain real(std::string_view interval = "(-inf, inf)");
Domain text(std::string pattern = "", std::string note = "");
/// The interval is that of the number of steps, epochs or per cent.
Domain duration(std::string_view interval = "[0, inf)");
Domain part();
Domain path(std::string pattern = "");
/// Without the options in `omit`, which are neither required nor taken there.
Domain choice_of(Family family, std::vector<std::string> omit = {});
/// A bare name; the resolved value is the string.
Domain name_of(Family family);
Domain list_of(Domain element);
Domain tuple_of(std::vector<Domain> places);
Domain record(std::vector<Option> keys);
Domain dictionary_of(Domain value);

Option option(std::string name, Domain domain, std::string fallback, std::string doc,
              std::string unit = "");
Option required(std::string name, Domain domain, std::string doc, std::string unit = "");
Option contextual(std::string name, Domain domain, std::string context, std::string doc);

}  // namespace schema

/// Does the whole text match a POSIX extended regular expression? Throws std::logic_error where it is none.
bool matches(const std::string& text, const std::string& pattern);

/// Either; the first that fits is taken.
Domain operator|(Domain a, Domain b);

}  // namespace latent
