// Elements as data sets store them, and what they are as f32.
#pragma once

#include <cstdint>

#include "core/base/hd.h"
#include "core/math/math.h"

namespace latent {

struct Half {
  uint16_t bits;
};
struct Bfloat {
  uint16_t bits;
};

LATENT_HD float value_of(uint8_t v) { return static_cast<float>(static_cast<int32_t>(v)); }
LATENT_HD float value_of(float v) { return v; }
LATENT_HD float value_of(Bfloat v) { return math::float_of(static_cast<uint32_t>(v.bits) << 16); }
LATENT_HD float value_of(Half v) {
  const uint32_t magnitude = static_cast<uint32_t>(v.bits & 0x7fffu) << 13;
  const float finite = math::float_of(magnitude) * 0x1p112f;  // exact, denormals too
  const float special = math::float_of(magnitude | 0x7f800000u);
  const float f = math::select(magnitude < 0x0f800000u, finite, special);
  return math::float_of(math::bits_of(f) | static_cast<uint32_t>(v.bits & 0x8000u) << 16);
}

}  // namespace latent
