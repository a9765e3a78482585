#include "kernels/recurrent/recurrence.h"

namespace latent {

Var lstm(Var x, Var w, Var b, int64_t steps) { return walk<LstmCell>(x, w, b, steps); }

namespace {
const RegisterSamples samples{"recurrent/lstm", recurrence_samples<LstmCell>};
}  // namespace

}  // namespace latent
