// 1 / x.
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct Reciprocal {
  static constexpr const char* name = "reciprocal";
  static constexpr int kOrder = 3;
  static constexpr double lo = 0.4, hi = 3;
  template <int K, class T>
  static LATENT_HD T d(T x) {
    const T r = T(1) / x;
    if constexpr (K == 0)
      return r;
    else if constexpr (K == 1)
      return -r * r;
    else if constexpr (K == 2)
      return T(2) * r * r * r;
    else
      return T(-6) * r * r * (r * r);
  }
  template <class T>
  static LATENT_HD T dy(T y) {
    return -y * y;
  }
};
const RegisterPointwise<Reciprocal> registered;

}  // namespace

Var reciprocal(Var x) { return apply(Pointwise<Reciprocal>{}, {x}); }

}  // namespace latent
