// Square root: NaN below 0, infinite gradient at 0.
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct Sqrt {
  static constexpr const char* name = "sqrt";
  static constexpr int kOrder = 3;
  static constexpr double lo = 0.2, hi = 4;
  template <int K, class T>
  static LATENT_HD T d(T x) {
    const T y = math::sqrt(x);
    if constexpr (K == 0)
      return y;
    else if constexpr (K == 1)
      return T(0.5) / y;
    else if constexpr (K == 2)
      return T(-0.25) / (x * y);
    else
      return T(0.375) / (x * x * y);
  }
  template <class T>
  static LATENT_HD T dy(T y) {
    return T(0.5) / y;
  }
};
const RegisterPointwise<Sqrt> registered;

}  // namespace

Var sqrt(Var x) { return apply(Pointwise<Sqrt>{}, {x}); }

}  // namespace latent
