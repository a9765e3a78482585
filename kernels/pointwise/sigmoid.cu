// Logistic function s(x) = 1 / (1 + exp(-x)).
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  static constexpr int kOrder = 3;
  static constexpr double lo = -5, hi = 5;
  /// With p = s (1 - s) and q = 1 - 2 s: s' = p, s'' = p q, s''' = p (q^2 - 2 p).
  template <int K, class T>
  static LATENT_HD T d(T x) {
    if constexpr (K == 0) return math::sigmoid(x);
    const T s = math::sigmoid(-math::abs(x));  // the small one of s and 1 - s, exact in its tail
    const T p = s * (T(1) - s);
    const T q = math::select(x > T(0), T(2) * s - T(1), T(1) - T(2) * s);
    if constexpr (K == 1)
      return p;
    else if constexpr (K == 2)
      return p * q;
    else
      return p * (q * q - T(2) * p);
  }
  template <class T>
  static LATENT_HD T dy(T y) {
    return y * (T(1) - y);
  }
  template <class T>
  static LATENT_HD T ddy(T y) {
    return y * (T(1) - y) * (T(1) - T(2) * y);
  }
  static constexpr double kLow = 0, kHigh = 1;
};
const RegisterActivation<Sigmoid> registered;

}  // namespace

Var sigmoid(Var x) { return apply(Pointwise<Sigmoid>{}, {x}); }

}  // namespace latent
