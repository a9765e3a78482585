// x^2.
#include "kernels/ops.h"
#include "kernels/pointwise/pointwise.h"

namespace latent {
namespace {

struct Square {
  static constexpr const char* name = "square";
  static constexpr int kOrder = 2;
  static constexpr bool kVanishes = true;
  static constexpr double lo = -2, hi = 2;
  template <int K, class T>
  static LATENT_HD T d(T x) {
    return K == 0 ? x * x : K == 1 ? T(2) * x : T(2);
  }
};
const RegisterPointwise<Square> registered;

}  // namespace

Var square(Var x) { return apply(Pointwise<Square>{}, {x}); }

}  // namespace latent
