// Total correlation of a Gaussian code, KL(q(z) || prod_j q(z_j)), estimated on the batch: beta-TCVAE (Chen et al. 2018).
#include "kernels/penalty/penalty.h"
#include "models/penalty.h"

namespace latent {
namespace {

using namespace schema;

Var total_correlation_term(const Choice& choice, const PenaltyInput& in) {
  if (!in.code.kl)
    throw UserError(
        "model.penalties: total_correlation is of a Gaussian code: use `bottleneck: {gaussian: "
        "UNITS}`");
  if (in.code.samples != 1)
    throw UserError("model.penalties: total_correlation takes one sample an example: `samples: 1`");
  const int64_t batch = in.code.value.shape()[0];
  if (batch < 2)
    throw UserError(
        "model.penalties: total_correlation compares rows with each other: batch_size must be at "
        "least 2");
  return total_correlation(in.code.value, in.code.gaussian, std::max(in.build.rows, batch),
                           choice.option("estimator").is("stratified"));
}

const RegisterPenalty total_correlation_penalty{
    {"total_correlation",
     "log q(z) - sum over units of log q(z_j), estimated on the batch; weight: beta - 1 of a "
     "beta-TCVAE",
     {option("estimator", words({"weighted", "stratified"}), "weighted",
             "minibatch weighted, or stratified, sampling (Chen et al. 2018)")},
     {},
     ""},
    total_correlation_term};

}  // namespace
}  // namespace latent
