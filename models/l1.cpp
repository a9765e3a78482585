// L1 sparsity: the sum of |h| over the units of a row. Keras' `activity_regularizer=l1(w)` is `{l1: w}`: it adds over
// units and averages over the batch, too.
#include "kernels/penalty/penalty.h"
#include "models/penalty.h"

namespace latent {
namespace {

const RegisterPenalty l1_penalty{{"l1", "sum of |h| over units, mean over rows", {}, {"at"}, ""},
                                 [](const Choice&, const PenaltyInput& in) { return l1(in.at); }};

}  // namespace
}  // namespace latent
