// Hyperbolic tangent.
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct Tanh {
  static constexpr const char* name = "tanh";
  static constexpr int kOrder = 3;
  static constexpr double lo = -3, hi = 3;
  /// With t = tanh x and p = sech^2 x: t' = p, t'' = -2 t p, t''' = p (4 t^2 - 2 p).
  template <int K, class T>
  static LATENT_HD T d(T x) {
    const T t = math::tanh(x);
    if constexpr (K == 0) return t;
    const T e = math::exp(T(-2) * math::abs(x));
    const T p = T(4) * e / ((T(1) + e) * (T(1) + e));  // 1 - t^2 without cancellation
    if constexpr (K == 1)
      return p;
    else if constexpr (K == 2)
      return T(-2) * t * p;
    else
      return p * (T(4) * t * t - T(2) * p);
  }
  template <class T>
  static LATENT_HD T dy(T y) {
    return (T(1) - y) * (T(1) + y);
  }
  template <class T>
  static LATENT_HD T ddy(T y) {
    return T(-2) * y * (T(1) - y) * (T(1) + y);
  }
  static constexpr double kLow = -1, kHigh = 1;
};
const RegisterActivation<Tanh> registered;

}  // namespace

Var tanh(Var x) { return apply(Pointwise<Tanh>{}, {x}); }

}  // namespace latent
