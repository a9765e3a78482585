// Negative log-likelihood of a Bernoulli with logits l (binary cross-entropy), for targets in [0,
// 1]: -x log s(l) - (1 - x) log(1 - s(l)) = max(l, 0) - l x + log(1 + exp(-|l|)).
#include "kernels/loss/loss.h"

namespace latent {
namespace {

struct Bernoulli {
  static constexpr const char* name = "bernoulli_nll";
  static constexpr bool kMean = false;
  static constexpr int kOrder = 3;

  template <int I, int J, class T>
  static LATENT_HD T d(T l, T x) {
    if constexpr (J > 0) return J > 1 || I > 1 ? T(0) : I == 1 ? T(-1) : -l;
    const T e = math::exp_negative(-math::abs(l));
    if constexpr (I == 0) return math::fma(-l, x, math::max(l, T(0))) + math::log1p_unit(e);
    const T r = T(1) / (T(1) + e);
    if constexpr (I == 1) return r * math::select(l > T(0), T(1), e) - x;
    const T p = e * r * r;       // s (1 - s)
    const T q = (e - T(1)) * r;  // 1 - 2 s for l > 0
    return I == 2 ? p : p * math::select(l > T(0), q, -q);
  }
  static Var reference(Var l, Var x) { return relu(l) - l * x + softplus(-abs(l)); }
  bool operator==(const Bernoulli&) const = default;
};
const RegisterLoss<Bernoulli> registered{Bernoulli{}};

}  // namespace

Var bernoulli_nll(Var logits, Var x, Var weight) {
  return row_loss(Bernoulli{}, logits, x, weight);
}

}  // namespace latent
