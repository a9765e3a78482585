// Names of the schema whose parts are not built yet: refused as such, not as unknown. A part that registers itself
// under one of them takes its place.
#include "core/config/registry.h"

namespace latent {
namespace {

struct KnownNames {
  KnownNames(Family family, const std::string& comes_with, std::vector<std::string> names) {
    for (std::string& name : names)
      RegisterChoice(family, {std::move(name), "", {}, {}, comes_with});
  }
};

const KnownNames categorical{Family::likelihood, "a later version", {"categorical"}};
const KnownNames formula{Family::penalty, "a later version", {"formula"}};
const KnownNames evaluations{
    Family::evaluation,
    "tables and the papers' experiments",
    {"likelihood", "generation", "jacobian", "rating", "ranking", "probe"}};
const KnownNames figures{
    Family::figure,
    "the parts that they show",
    {"model", "units", "filters", "latents", "manifold", "samples", "interpolations", "traversals",
     "posteriors", "errors", "roc", "spectrum"}};

}  // namespace
}  // namespace latent
