// The nearest spelling of a word, for error messages.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace latent {

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`
/// (Damerau-Levenshtein, optimal string alignment).
int edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word` (the first of equals), or "" where none is near enough to be a
/// slip of the pen.
std::string nearest_spelling(std::string_view word, std::span<const std::string> candidates);

/// "; did you mean `model`?", or "" where nothing is near.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

/// The parts with `separator` between them.
std::string join(std::span<const std::string> parts, std::string_view separator);

}  // namespace latent
