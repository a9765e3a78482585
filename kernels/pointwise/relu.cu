// Rectified linear unit, with gradient 0 at 0; a NaN stays one.
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct Relu {
  static constexpr const char* name = "relu";
  static constexpr int kOrder = 1;
  static constexpr bool kVanishes = true;
  static constexpr double lo = -2, hi = 2;
  template <int K, class T>
  static LATENT_HD T d(T x) {
    return K == 0 ? math::max(x, T(0)) : math::select(x > T(0), T(1), T(0));
  }
  template <class T>
  static LATENT_HD T dy(T y) {
    return d<1>(y);
  }
  static constexpr double kLow = 0;
};
const RegisterActivation<Relu> registered;

}  // namespace

Var relu(Var x) { return apply(Pointwise<Relu>{}, {x}); }

}  // namespace latent
