// The names that `data.source` takes, and where the rows of each come from.
#pragma once

#include <string>
#include <string_view>

namespace latent {

enum class SourceKind {
  embedded,  ///< made by code; `data.count` rows of `data.data_seed`
  fetched,   ///< a known data set in $LATENT_DATA, by its own name
  file,      ///< a format; `data.path` is required
};

/// `unbuilt`: not empty for a name that is known and refused, and says what it comes with.
struct RegisterSource {
  RegisterSource(SourceKind kind, std::string name, std::string doc, std::string unbuilt = "");
};

/// Of a registered name; throws std::logic_error.
SourceKind source_kind(std::string_view name);

}  // namespace latent
