// Mean squared error of a row.
#include "kernels/loss/loss.h"

namespace latent {
namespace {

struct SquaredError {
  static constexpr const char* name = "mean_squared_error";
  static constexpr bool kMean = true;
  static constexpr int kOrder = 2;
  static constexpr bool kVanishes = true;

  template <int I, int J, class T>
  static LATENT_HD T d(T y, T x) {
    const T r = y - x;
    if constexpr (I + J == 0) return r * r;
    if constexpr (I + J == 1) return T(I == 1 ? 2 : -2) * r;
    return T(I == J ? -2 : 2);
  }
  static Var reference(Var y, Var x) { return square(y - x); }
  bool operator==(const SquaredError&) const = default;
};
const RegisterLoss<SquaredError> registered{SquaredError{}};

}  // namespace

Var mean_squared_error(Var y, Var x, Var weight) { return row_loss(SquaredError{}, y, x, weight); }

}  // namespace latent
