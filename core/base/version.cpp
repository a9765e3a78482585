#include "core/base/version.h"

#include "generated/commit.h"
#include "generated/versions.h"

namespace latent {

std::string_view version() { return LATENT_VERSION; }

std::string_view commit() { return LATENT_COMMIT; }

std::span<const LibraryVersion> library_versions() {
  static constexpr LibraryVersion kVersions[] = {LATENT_LIBRARY_VERSIONS};
  return kVersions;
}

}  // namespace latent
