// The schema in words: for messages, and for `latent info parts`, which is the reference of the registry.
#pragma once

#include <string>

#include "core/config/domain.h"

namespace latent {

/// "integer >= 1", "none | real > 0", "list of layer".
std::string describe(const Domain& domain);
/// The same for messages: families are spelt out, what is not built is left out.
std::string allowed(const Domain& domain);
/// The names of a family that are built: "cosine, step".
std::string built_names(Family family);
/// Is a map among the values?
bool takes_map(const Domain& domain);

/// Every family, every part with its options, MAIN first: at most 100 columns where words allow.
std::string describe_parts();
/// Every key of an experiment's file in the same manner.
std::string describe_keys();

}  // namespace latent
