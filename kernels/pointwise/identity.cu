// The function of layers without an activation; a view, so it costs nothing.
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {

namespace {
const RegisterActivation<Identity> registered;
}  // namespace

Var identity(Var x) { return apply(Pointwise<Identity>{}, {x}); }

}  // namespace latent
