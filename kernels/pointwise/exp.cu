// Exponential.
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct Exp {
  static constexpr const char* name = "exp";
  static constexpr int kOrder = 3;
  static constexpr double lo = -3, hi = 3;
  template <int K, class T>
  static LATENT_HD T d(T x) {
    return math::exp(x);
  }
  template <class T>
  static LATENT_HD T dy(T y) {
    return y;
  }
};
const RegisterPointwise<Exp> registered;

}  // namespace

Var exp(Var x) { return apply(Pointwise<Exp>{}, {x}); }

}  // namespace latent
