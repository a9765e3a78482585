// Where a PATH of an experiment lies: beside the file that names it, else in $LATENT_DATA.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config/value.h"

namespace latent {

/// $LATENT_DATA, or ~/.cache/latent.
std::filesystem::path data_folder();

/// The folder of the file that a mark names; the working folder for "--set", data_folder() for a default.
std::filesystem::path folder_of(const Mark& mark);

/// The file or folder that `text` names: `~`, `$VAR` and `${VAR}` are replaced; a relative one is looked for in `folder`,
/// then in data_folder(). Throws UserError naming the places tried, or the variable that is not set.
std::filesystem::path resolve_path(const std::string& text, const std::filesystem::path& folder);
/// The same with globs: every match, in alphabetical order; at least one.
std::vector<std::filesystem::path> resolve_paths(const std::string& text,
                                                 const std::filesystem::path& folder);
/// A PATH or a list of them in a resolved tree, in its order; messages carry its mark.
std::vector<std::filesystem::path> resolve_paths(const Value& value);

/// A relative PATH that exists in `folder`, absolute (a glob with a match there stays a glob). Nothing for others.
std::optional<std::filesystem::path> find_beside(const std::string& text,
                                                 const std::filesystem::path& folder);

}  // namespace latent
