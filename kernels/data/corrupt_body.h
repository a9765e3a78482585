// What a corruption does to an element, from the number drawn for it.
#pragma once

#include <type_traits>

#include "core/math/math.h"
#include "core/random/philox.h"
#include "kernels/data/corrupt.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// The random block of the first four columns of a row: `row` is its place in the batch or, where draws are fixed, the
/// example.
LATENT_HD int64_t first_corruption_block(int64_t row, int64_t cols) {
  return row * ((cols + 3) / 4);
}

/// The amount of a corruption at a step, its schedule counted.
LATENT_HD float amount_at(const Corruption& c, int64_t step) {
  const float amount = c.amount * c.schedule.factor(step);
  return c.kind == Corruption::Kind::gaussian ? amount : math::min(amount, 1.0f);
}

/// A corruption at this step, as every element of a row sees it.
struct CorruptionNow {
  float amount, kept;  // kept: what dropout multiplies the others with
  float lo, hi, struck, spared;

  LATENT_HD CorruptionNow(const Corruption& c, float at)
      : amount(at),
        kept(c.kind == Corruption::Kind::dropout && at < 1 ? 1 / (1 - at) : 1.0f),
        lo(c.lo),
        hi(c.hi),
        struck(c.struck),
        spared(c.spared) {}
};

/// What one kind of corruption does to an element, from the number drawn for it.
template <Corruption::Kind kind>
struct Corrupt {
  using Draw = std::conditional_t<kind == Corruption::Kind::gaussian, float, uint32_t>;

  /// The draws of elements 4 block to 4 block + 3.
  static LATENT_HD void draw4(uint64_t seed, uint64_t step, uint64_t stream, uint64_t block,
                              Draw* out) {
    if constexpr (kind == Corruption::Kind::gaussian) {
      const Float4 z = normal4(seed, step, stream, block);
      for (int k = 0; k < 4; ++k) out[k] = z.v[k];
    } else {
      const Words4 words = random_words4(seed, step, stream, block);
      for (int k = 0; k < 4; ++k) out[k] = words.v[k];
    }
  }
  static LATENT_HD float value(float x, Draw drawn, const CorruptionNow& c) {
    if constexpr (kind == Corruption::Kind::gaussian) {
      return math::min(math::max(x + c.amount * drawn, c.lo), c.hi);
    } else {
      float to = 0;
      if (kind == Corruption::Kind::salt_and_pepper)
        to = math::select(bernoulli_of(drawn, 0.5f * c.amount), c.lo, c.hi);
      return math::select(bernoulli_of(drawn, c.amount), to,
                          kind == Corruption::Kind::dropout ? x * c.kept : x);
    }
  }
  static LATENT_HD float weight(Draw drawn, const CorruptionNow& c) {
    if constexpr (kind == Corruption::Kind::gaussian)
      return c.struck;
    else
      return math::select(bernoulli_of(drawn, c.amount), c.struck, c.spared);
  }
};

}  // namespace LATENT_BACKEND
}  // namespace latent
