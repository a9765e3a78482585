// Lp sparsity: the sum of |h|^p over the units of a row, without a root; p < 1 pulls small activations to 0 hardest.
#include "kernels/penalty/penalty.h"
#include "models/penalty.h"

namespace latent {
namespace {

using namespace schema;

const RegisterPenalty lp_penalty{{"lp",
                                  "sum of |h|^p over units, mean over rows; its gradient at 0 is 0",
                                  {option("p", real("(0, inf)"), "2", "the power")},
                                  {"at"},
                                  ""},
                                 [](const Choice& choice, const PenaltyInput& in) {
                                   return lp(in.at, choice.option("p").as_real());
                                 }};

}  // namespace
}  // namespace latent
