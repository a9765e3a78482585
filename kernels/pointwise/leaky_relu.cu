// Leaky rectifier with slope 0.01 (Maas et al. 2013), PyTorch's default.
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct LeakyRelu {
  static constexpr const char* name = "leaky_relu";
  static constexpr int kOrder = 1;
  static constexpr bool kVanishes = true;
  static constexpr double lo = -2, hi = 2;
  template <int K, class T>
  static LATENT_HD T d(T x) {
    return math::select(x > T(0), K == 0 ? x : T(1), K == 0 ? T(0.01) * x : T(0.01));
  }
  template <class T>
  static LATENT_HD T dy(T y) {
    return d<1>(y);
  }
};
const RegisterActivation<LeakyRelu> registered;

}  // namespace

Var leaky_relu(Var x) { return apply(Pointwise<LeakyRelu>{}, {x}); }

}  // namespace latent
