// From files to runs: `extends` and `--set` are applied, sweeps and lists of seeds expanded, each run resolved and named.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/config/value.h"

namespace latent {

struct RunSpec {
  Value
      config;  ///< resolved: every default in place, choices in normal form, no `extends`, no `sweep`
  std::string folder;  ///< "<name>[/<path>=<value>,...]/seed-<n>", below --out
  int64_t seed = 0;
  std::string file;  ///< the experiment's file, as it was given
};

/// The runs of experiment files, in the order of files, then sweep points, then seeds. An override is "a.b=c", the text
/// of --set. Throws UserError: the first thing that is wrong with the input, or two runs of one folder.
std::vector<RunSpec> load_experiments(std::span<const std::filesystem::path> files,
                                      std::span<const std::string> overrides = {});
std::vector<RunSpec> load_experiment(const std::filesystem::path& file,
                                     std::span<const std::string> overrides = {});

/// A tree without `extends` and `sweep`, with one seed, checked and written out. `name` is used where it has none.
Value resolve_config(Value tree, const std::string& name);

/// The file as a tree: unresolved, with `extends` spelt out. Refuses tables and pages.
Value load_tree(const std::filesystem::path& file);

/// What makes a run that run: the resolved configuration less `device`. SHA-256 of it.
std::string identity_hash(const Value& config);
/// The dotted keys in which two resolved configurations differ, `device` left out.
std::vector<std::string> differing_keys(const Value& a, const Value& b);

}  // namespace latent
