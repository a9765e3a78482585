// log(1 + exp(x)); its derivative is the logistic function.
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct Softplus {
  static constexpr const char* name = "softplus";
  static constexpr int kOrder = 3;
  static constexpr double lo = -5, hi = 5;
  template <int K, class T>
  static LATENT_HD T d(T x) {
    if constexpr (K == 0)
      return math::softplus(x);
    else if constexpr (K == 1)
      return math::sigmoid(x);
    const T s = math::sigmoid(x), p = s * math::sigmoid(-x);
    return K == 2 ? p : p * (T(1) - T(2) * s);
  }
  template <class T>
  static LATENT_HD T dy(T y) {
    return -math::expm1(-y);
  }
  template <class T>
  static LATENT_HD T ddy(T y) {
    const T s = dy(y);
    return s * (T(1) - s);
  }
  static constexpr double kLow = 0;
};
const RegisterActivation<Softplus> registered;

}  // namespace

Var softplus(Var x) { return apply(Pointwise<Softplus>{}, {x}); }

}  // namespace latent
