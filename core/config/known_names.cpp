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

const KnownNames convolution{
    Family::layer,
    "convolutional layers",
    {"conv", "conv_transpose", "max_pool", "avg_pool", "upsample", "flatten", "reshape"}};
const KnownNames recurrence{Family::layer, "recurrent layers", {"lstm", "gru", "rnn", "repeat"}};
const KnownNames gaussian{Family::bottleneck, "the variational part", {"gaussian"}};
const KnownNames laplace{
    Family::likelihood, "the variational part", {"laplace", "multinomial", "categorical"}};
const KnownNames sparse{Family::penalty, "the sparse part", {"l1", "lp", "kl_sparsity"}};
const KnownNames contractive{Family::penalty, "the contractive part", {"jacobian"}};
const KnownNames variational{
    Family::penalty, "the variational part", {"kl", "mmd", "total_correlation"}};
const KnownNames formula{Family::penalty, "a later version", {"formula"}};
const KnownNames evaluations{
    Family::evaluation,
    "tables and the papers' experiments",
    {"anomaly", "denoising", "likelihood", "generation", "jacobian", "rating", "ranking", "probe"}};
const KnownNames figures{
    Family::figure,
    "the parts that they show",
    {"model", "units", "filters", "latents", "manifold", "samples", "interpolations",
     "traversals", "posteriors", "errors", "roc", "spectrum"}};

}  // namespace
}  // namespace latent
