// log sum exp as a monoid, so that a row is read once: the largest value, and the sum of exponentials relative to it.
#pragma once

#include "core/math/math.h"

namespace latent {

/// sum exp(max).
template <class T>
struct ScaledSum {
  T max, sum;
  LATENT_HD T log() const { return max + math::log(sum); }
};

/// Values -infinity count nothing; a row of nothing else gives -infinity.
struct LogSumExpMonoid {
  template <class A>
  static LATENT_HD A identity() {
    using T = decltype(A{}.max);
    return {T(-math::detail::kInfinity), T(0)};
  }
  template <class A>
  static LATENT_HD A combine(A a, A b) {
    using T = decltype(a.max);
    // Of two infinities the difference is no number.
    const T d = math::select(a.max == b.max, T(0), a.max - b.max);
    const T e = math::exp_negative(-math::abs(d));
    const bool first = d > T(0);
    return {math::select(first, a.max, b.max),
            math::fma(math::select(first, b.sum, a.sum), e, math::select(first, a.sum, b.sum))};
  }
};

}  // namespace latent
