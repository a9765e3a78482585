// KL divergence of a Gaussian code from its prior N(0, 1), in nats (Kingma and Welling 2014, appendix B).
#include "kernels/ops.h"
#include "models/penalty.h"

namespace latent {
namespace {

using namespace schema;

/// KL of each unit, [rows, units].
Var kl_of_units(const Code& code) {
  return 0.5 * (square(code.mu) + exp(code.logvar) - 1 - code.logvar);
}

Var kl_term(const Choice& choice, const PenaltyInput& in) {
  if (!in.code.kl)
    throw UserError(
        "model.penalties: kl is of a code that is drawn: use `bottleneck: {gaussian: UNITS}`");
  const Value& capacity = choice.option("capacity");
  const double free_bits = choice.option("free_bits").as_real();
  if (!capacity.is("none") && free_bits > 0)
    throw error_at(capacity.mark(), "capacity", "and free_bits are two ways; give one of them");
  if (!capacity.is("none")) return abs(mean(in.code.kl) - capacity.as_real());
  if (free_bits > 0) return sum(relu(mean_cols(kl_of_units(in.code)) - free_bits) + free_bits);
  return in.code.kl;
}

const RegisterPenalty kl{
    {"kl",
     "KL divergence of a Gaussian code from N(0, 1), in nats a row; weight: the beta of a beta-VAE",
     {option("capacity", words({"none"}) | real("[0, inf)"), "none",
             "C: |mean over rows of KL - C| instead (Burgess et al. 2018)", "nats"),
      option("free_bits", real("[0, inf)"), "0",
             "least that the mean over rows counts for each unit (Kingma et al. 2016, eq. 15)",
             "nats")},
     {},
     ""},
    kl_term};

}  // namespace
}  // namespace latent
