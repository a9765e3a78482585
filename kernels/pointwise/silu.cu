// Sigmoid-weighted linear unit x s(x), also called swish (Elfwing et al. 2017; Ramachandran et al.
// 2017).
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct Silu {
  static constexpr const char* name = "silu";
  static constexpr int kOrder = 3;
  static constexpr double lo = -5, hi = 5;
  /// With p = s (1 - s) and q = 1 - 2 s: f' = s + x p, f'' = p (2 + x q), f''' = p (3 q + x (q^2 -
  /// 2 p)).
  template <int K, class T>
  static LATENT_HD T d(T x) {
    const T s = math::sigmoid(x);
    if constexpr (K == 0) return x * s;
    const T p = s * math::sigmoid(-x), q = T(1) - T(2) * s;
    if constexpr (K == 1)
      return s + x * p;
    else if constexpr (K == 2)
      return p * (T(2) + x * q);
    else
      return p * (T(3) * q + x * (q * q - T(2) * p));
  }
};
const RegisterActivation<Silu> registered;

}  // namespace

Var silu(Var x) { return apply(Pointwise<Silu>{}, {x}); }

}  // namespace latent
