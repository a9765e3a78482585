// What this binary was built from: version, commit, and the libraries it was configured with. It
// goes into summary.json.
#pragma once

#include <span>
#include <string_view>

namespace latent {

/// "0.1.0".
std::string_view version();

/// Abbreviated commit hash, with "-dirty" behind it where tracked files differed, or "unknown"
/// outside a repository.
std::string_view commit();

struct LibraryVersion {
  std::string_view name, version;
};

/// Compiler and libraries by name, in a fixed order: {"g++", "12.2.0"}, {"oneDNN", "2.6.3"},
/// {"CUDA", "13.0.88"}, ...
std::span<const LibraryVersion> library_versions();

}  // namespace latent
