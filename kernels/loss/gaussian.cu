// Negative log-likelihood of a Gaussian with mean mu and a given variance v: (mu - x)^2 / (2 v) +
// log(2 pi v) / 2.
#include <numbers>

#include "kernels/loss/loss.h"

namespace latent {
namespace {

struct Gaussian {
  static constexpr const char* name = "gaussian_nll";
  static constexpr bool kMean = false;
  static constexpr int kOrder = 2;
  static constexpr bool kVanishes = true;
  double variance = 1;

  template <class T>
  struct Element {
    T precision, constant;
    template <int I, int J>
    LATENT_HD T d(T mu, T x) const {
      const T r = mu - x, z = precision * r;
      if constexpr (I + J == 0) return math::fma(T(0.5) * z, r, constant);
      if constexpr (I + J == 1) return I == 1 ? z : -z;
      return I == J ? -precision : precision;
    }
  };
  double constant() const { return 0.5 * std::log(2 * std::numbers::pi * variance); }
  template <class T>
  Element<T> element() const {
    return {T(1 / variance), T(constant())};
  }
  Var reference(Var mu, Var x) const { return square(mu - x) * (0.5 / variance) + constant(); }
  bool operator==(const Gaussian&) const = default;
};
const RegisterLoss<Gaussian> registered{Gaussian{2.5}};

}  // namespace

Var gaussian_nll(Var mu, Var x, Var weight, double variance) {
  return row_loss(Gaussian{variance}, mu, x, weight);
}

}  // namespace latent
