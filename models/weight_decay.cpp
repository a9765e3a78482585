// Weight decay (L2): 1/2 the sum of squares of all trained weights, without biases.
#include "kernels/ops.h"
#include "models/penalty.h"

namespace latent {
namespace {

const RegisterPenalty weight_decay{
    {"weight_decay", "1/2 sum of w^2 over all weights, without biases", {}, {}, ""},
    [](const Choice&, const PenaltyInput& in) {
      Var total;
      for (const Var& w : in.weights) total = total ? total + sum(square(w)) : sum(square(w));
      return total ? 0.5 * total : fill(in.graph, {DType::f32, {}}, 0);
    }};

}  // namespace
}  // namespace latent
