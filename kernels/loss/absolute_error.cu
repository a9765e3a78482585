// Mean absolute error of a row, with gradient 0 where prediction and target are equal.
#include "kernels/loss/loss.h"

namespace latent {
namespace {

struct AbsoluteError {
  static constexpr const char* name = "mean_absolute_error";
  static constexpr bool kMean = true;
  static constexpr int kOrder = 1;
  static constexpr bool kVanishes = true;

  template <int I, int J, class T>
  static LATENT_HD T d(T y, T x) {
    const T r = y - x;
    if constexpr (I + J == 0) return math::abs(r);
    const T sign = math::select(r > T(0), T(1), math::select(r < T(0), T(-1), T(0)));
    return I == 1 ? sign : -sign;
  }
  static Var reference(Var y, Var x) { return abs(y - x); }
  bool operator==(const AbsoluteError&) const = default;
};
const RegisterLoss<AbsoluteError> registered{AbsoluteError{}};

}  // namespace

Var mean_absolute_error(Var y, Var x, Var weight) {
  return row_loss(AbsoluteError{}, y, x, weight);
}

}  // namespace latent
