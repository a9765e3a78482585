// L1: the sum of |h| over the units of a row, with gradient 0 at 0. (Keras' `activity_regularizer=l1(w)` is its mean
// over rows times w.)
#include "kernels/penalty/penalty.h"
#include "kernels/penalty/row_penalty.h"

namespace latent {
namespace {

struct Absolute {
  static constexpr const char* name = "l1";
  static constexpr int kOrder = 1;
  static constexpr bool kVanishes = true;

  template <int K, class T>
  static LATENT_HD T d(T h, T) {
    if constexpr (K == 0) return math::abs(h);
    return math::select(h > T(0), T(1), math::select(h < T(0), T(-1), T(0)));
  }
  static Var reference(Var h, double) { return abs(h); }
};

const RegisterSamples samples{"penalty/l1", [] {
                                return row_penalty_samples<Absolute>("l1", 1, {-1, 1});
                              }};

const RegisterRowPenalty<Absolute> registered;

}  // namespace

Var l1(Var h) { return apply(RowPenalty<Absolute>{}, {h}); }

}  // namespace latent
