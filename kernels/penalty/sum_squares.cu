// The sum of squares of each row: norms of a weight's rows and of Jacobians, without a square in memory.
#include "kernels/penalty/penalty.h"
#include "kernels/penalty/row_penalty.h"

namespace latent {
namespace {

struct Squared {
  static constexpr const char* name = "sum_squares";
  static constexpr int kOrder = 2;
  static constexpr bool kVanishes = true;

  template <int K, class T>
  static LATENT_HD T d(T h, T) {
    return K == 0 ? h * h : K == 1 ? T(2) * h : T(2);
  }
  static Var reference(Var h, double) { return square(h); }
};

const RegisterRowPenalty<Squared> registered;
const RegisterSamples samples{"penalty/sum_squares", [] {
                                return row_penalty_samples<Squared>("sum_squares", 1, {-1, 1});
                              }};

}  // namespace

Var sum_squares(Var x) { return apply(RowPenalty<Squared>{}, {x}); }

}  // namespace latent
