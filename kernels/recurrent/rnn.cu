#include "kernels/recurrent/recurrence.h"

namespace latent {

Var rnn(Var x, Var w, Var b, int64_t steps) { return walk<RnnCell>(x, w, b, steps); }

namespace {
const RegisterSamples samples{"recurrent/rnn", recurrence_samples<RnnCell>};
}  // namespace

}  // namespace latent
