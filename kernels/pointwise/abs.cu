// |x|, with gradient 0 at 0.
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct Abs {
  static constexpr const char* name = "abs";
  static constexpr int kOrder = 1;
  static constexpr bool kVanishes = true;
  static constexpr double lo = -2, hi = 2;
  template <int K, class T>
  static LATENT_HD T d(T x) {
    if constexpr (K == 0) return math::abs(x);
    return math::select(x > T(0), T(1), math::select(x < T(0), T(-1), T(0)));
  }
};
const RegisterPointwise<Abs> registered;

}  // namespace

Var abs(Var x) { return apply(Pointwise<Abs>{}, {x}); }

}  // namespace latent
