// Exponential linear unit, alpha = 1 (Clevert et al. 2016, eq. 15): x for x > 0, else exp(x) - 1.
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct Elu {
  static constexpr const char* name = "elu";
  static constexpr int kOrder = 3;
  static constexpr double lo = -4, hi = 4;
  template <int K, class T>
  static LATENT_HD T d(T x) {
    const T below = math::min(x, T(0));  // keeps exp finite where it is not selected
    if constexpr (K == 0) return math::select(x > T(0), x, math::expm1(below));
    return math::select(x > T(0), T(K == 1), math::exp(below));
  }
  template <class T>
  static LATENT_HD T dy(T y) {
    return math::min(y, T(0)) + T(1);
  }
  template <class T>
  static LATENT_HD T ddy(T y) {
    return math::select(y > T(0), T(0), y + T(1));
  }
  static constexpr double kLow = -1;
};
const RegisterActivation<Elu> registered;

}  // namespace

Var elu(Var x) { return apply(Pointwise<Elu>{}, {x}); }

}  // namespace latent
