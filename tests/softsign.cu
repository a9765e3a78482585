// x / (1 + |x|): what README.md shows under "Add an op".
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct Softsign {
  static constexpr const char* name = "softsign";
  static constexpr int kOrder = 2;          // derivatives given below
  static constexpr double lo = -4, hi = 4;  // where tests sample x
  template <int K, class T>
  static LATENT_HD T d(T x) {  // the K-th derivative, in float or double
    const T r = T(1) / (T(1) + math::abs(x));
    if constexpr (K == 0) return x * r;
    if constexpr (K == 1) return r * r;
    return math::select(x < T(0), T(2), T(-2)) * r * r * r;
  }
  template <class T>
  static LATENT_HD T dy(T y) {  // optional: f'(x) from y = f(x), so that x need not be kept
    return (T(1) - math::abs(y)) * (T(1) - math::abs(y));
  }
};
const RegisterActivation<Softsign> registered;

}  // namespace

Var softsign(Var x) { return apply(Pointwise<Softsign>{}, {x}); }

}  // namespace latent
