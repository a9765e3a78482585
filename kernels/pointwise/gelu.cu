// Gaussian error linear unit (Hendrycks and Gimpel 2016): x Phi(x), Phi by erf and not by the tanh
// approximation.
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct Gelu {
  static constexpr const char* name = "gelu";
  static constexpr int kOrder = 3;
  static constexpr double lo = -4, hi = 4;
  template <int K, class T>
  static LATENT_HD T d(T x) {
    constexpr T kSqrtHalf = T(0.70710678118654752440), kDensityAt0 = T(0.39894228040143267794);
    if constexpr (K == 0) return T(0.5) * x * (T(1) + math::erf(x * kSqrtHalf));
    const T density = kDensityAt0 * math::exp(T(-0.5) * x * x);
    if constexpr (K == 1)
      return T(0.5) * (T(1) + math::erf(x * kSqrtHalf)) + x * density;
    else if constexpr (K == 2)
      return density * (T(2) - x * x);
    else
      return density * x * (x * x - T(4));
  }
};
const RegisterActivation<Gelu> registered;

}  // namespace

Var gelu(Var x) { return apply(Pointwise<Gelu>{}, {x}); }

}  // namespace latent
