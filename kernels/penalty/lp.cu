// Lp: the sum of |h|^p over the units of a row, p > 0 (no root is taken). A derivative that has no
// limit at 0 is 0 there, so a unit that is off stays where it is: p < 1 pulls small activations ever
// harder, and without that rule a gradient of infinity would end the training.
#include "kernels/penalty/penalty.h"
#include "kernels/penalty/row_penalty.h"

namespace latent {
namespace {

struct Power {
  static constexpr const char* name = "lp";
  static constexpr int kOrder = 3;

  /// p (p - 1) ... (p - K + 1) |h|^(p - K), with the sign of h for odd K.
  template <int K, class T>
  static LATENT_HD T d(T h, T p) {
    T factor = T(1);
    for (int k = 0; k < K; ++k) factor *= p - T(k);
    if constexpr (K % 2 == 1) factor = math::select(h < T(0), -factor, factor);
    // At 0 an even derivative of |h|^K is a constant like anywhere; others are 0 or have no limit.
    const bool off = h == T(0) && (K % 2 == 1 || p != T(K));
    const T size = math::select(off, T(1), math::abs(h));
    return math::select(off, T(0), factor * math::pow(size, p - T(K)));
  }
  static Var reference(Var h, double p) { return exp(p * log(abs(h))); }
};

const RegisterRowPenalty<Power> registered;
const RegisterSamples samples{"penalty/lp", [] {
                                std::vector<Sample> all;
                                auto add = [&](const char* label, double p, Sample::Range h) {
                                  for (Sample& s : row_penalty_samples<Power>(label, p, h))
                                    all.push_back(std::move(s));
                                };
                                add("lp/0.5", 0.5, {0.2, 2});
                                add("lp/1.5", 1.5, {-2, -0.2});
                                add("lp/3", 3, {0.2, 1});
                                return all;
                              }};

}  // namespace

Var lp(Var h, double p) {
  if (!(p > 0)) throw GraphError(cat("lp: p must be above 0, not ", p));
  return apply(RowPenalty<Power>{.p = p}, {h});
}

}  // namespace latent
