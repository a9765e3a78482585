// Hoyer's sparsity: what README.md shows under "Add a penalty".
#include "kernels/ops.h"
#include "models/penalty.h"

namespace latent {
namespace {

const RegisterPenalty hoyer{
    {"hoyer", "sum |h| / sqrt(sum h^2), small where few units are active", {}, {"at"}, ""},
    [](const Choice&, const PenaltyInput& in) {
      const Var h = in.at;  // [rows, units...]
      // The small number makes a row of zeros 0 instead of 0 / 0.
      return sum_rows(abs(h)) / sqrt(sum_rows(square(h)) + 1e-12);
    }};

}  // namespace
}  // namespace latent
