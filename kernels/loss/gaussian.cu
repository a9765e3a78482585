// Negative log-likelihood of a Gaussian with mean mu and variance 1: (mu - x)^2 / 2 + log(2 pi) /
// 2.
#include "kernels/loss/loss.h"

namespace latent {
namespace {

struct Gaussian {
  static constexpr const char* name = "gaussian_nll";
  static constexpr bool kMean = false;
  static constexpr int kOrder = 2;
  static constexpr bool kVanishes = true;
  static constexpr double kHalfLog2Pi = 0.91893853320467274178;

  template <int I, int J, class T>
  static LATENT_HD T d(T mu, T x) {
    const T r = mu - x;
    if constexpr (I + J == 0) return T(0.5) * r * r + T(kHalfLog2Pi);
    if constexpr (I + J == 1) return I == 1 ? r : -r;
    return T(I == J ? -1 : 1);
  }
  static Var reference(Var mu, Var x) { return 0.5 * square(mu - x) + kHalfLog2Pi; }
};
const RegisterLoss<Gaussian> registered;

}  // namespace

Var gaussian_nll(Var mu, Var x) { return apply(RowLoss<Gaussian>{}, {mu, x}); }

}  // namespace latent
