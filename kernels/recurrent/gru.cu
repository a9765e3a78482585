#include "kernels/recurrent/recurrence.h"

namespace latent {

Var gru(Var x, Var w, Var b, int64_t steps) { return walk<GruCell>(x, w, b, steps); }

namespace {
const RegisterSamples samples{"recurrent/gru", recurrence_samples<GruCell>};
}  // namespace

}  // namespace latent
