// What the sets that are drawn by code draw with.
//
// Every machine must draw the same bytes. So: no function of libm but sqrt and floor, which IEEE 754 rounds exactly; sin
// and cos are polynomials of our own; and the build keeps multiplications and additions apart (-ffp-contract=off).
#pragma once

#include <cmath>
#include <cstdint>

namespace latent {

/// SplitMix64 (Steele, Lea & Flood 2014): its seeds may be anything, so each row has a generator of its own.
class DrawingNumbers {
 public:
  DrawingNumbers(uint64_t seed, uint64_t index)
      : state_(mix(seed) ^ mix(index + 0x632be59bd9b4e019ull)) {}

  /// In [0, 1).
  double uniform() {
    state_ += 0x9e3779b97f4a7c15ull;
    return static_cast<double>(mix(state_) >> 11) * 0x1p-53;
  }
  double uniform(double lo, double hi) { return lo + (hi - lo) * uniform(); }
  int below(int n) { return static_cast<int>(uniform() * n); }
  /// Mean 0, deviation 1, within +-3.5: the sum of four uniforms, near enough to a normal.
  double bell() {
    const double sum = uniform() + uniform() + uniform() + uniform();
    return (sum - 2) * 1.7320508075688772;
  }

 private:
  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  uint64_t state_;
};

/// sin(2 pi t), to 4e-6: its Taylor series on the quarter turn that t is folded to.
inline double sin_turns(double t) {
  t -= std::floor(t + 0.5);
  if (t > 0.25) t = 0.5 - t;
  if (t < -0.25) t = -0.5 - t;
  const double x = 6.283185307179586 * t;
  const double s = x * x;
  return x * (1 + s * (-1.0 / 6 + s * (1.0 / 120 + s * (-1.0 / 5040 + s * (1.0 / 362880)))));
}
inline double cos_turns(double t) { return sin_turns(t + 0.25); }

}  // namespace latent
