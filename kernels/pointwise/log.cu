// Natural logarithm: -infinity at 0, NaN below.
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct Log {
  static constexpr const char* name = "log";
  static constexpr int kOrder = 3;
  static constexpr double lo = 0.2, hi = 4;
  template <int K, class T>
  static LATENT_HD T d(T x) {
    if constexpr (K == 0) return math::log(x);
    const T r = T(1) / x;
    if constexpr (K == 1)
      return r;
    else if constexpr (K == 2)
      return -r * r;
    else
      return T(2) * r * r * r;
  }
};
const RegisterPointwise<Log> registered;

}  // namespace

Var log(Var x) { return apply(Pointwise<Log>{}, {x}); }

}  // namespace latent
