// Negative log-likelihood of a Laplace distribution with location mu and a given scale b: |mu - x| / b
// + log(2 b), with gradient 0 where both are equal.
#include "kernels/loss/loss.h"

namespace latent {
namespace {

struct Laplace {
  static constexpr const char* name = "laplace_nll";
  static constexpr bool kMean = false;
  static constexpr int kOrder = 1;
  static constexpr bool kVanishes = true;
  double scale = 1;

  template <class T>
  struct Element {
    T steep, constant;
    template <int I, int J>
    LATENT_HD T d(T mu, T x) const {
      const T r = mu - x;
      if constexpr (I + J == 0) return math::fma(steep, math::abs(r), constant);
      const T slope = math::select(r > T(0), steep, math::select(r < T(0), -steep, T(0)));
      return I == 1 ? slope : -slope;
    }
  };
  template <class T>
  Element<T> element() const {
    return {T(1 / scale), T(std::log(2 * scale))};
  }
  Var reference(Var mu, Var x) const { return abs(mu - x) * (1 / scale) + std::log(2 * scale); }
  bool operator==(const Laplace&) const = default;
};
const RegisterLoss<Laplace> registered{Laplace{0.7}};

}  // namespace

Var laplace_nll(Var mu, Var x, Var weight, double scale) {
  return row_loss(Laplace{scale}, mu, x, weight);
}

}  // namespace latent
