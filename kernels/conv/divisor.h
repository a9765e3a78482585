// Positions in a map from their number, without divisions on the device.
#pragma once

#include <cstdint>

#include "core/base/hd.h"

namespace latent {

/// Quotients and remainders of numbers below 2^31 by one that the host knows: a multiplication on the device.
struct Divisor {
  uint32_t divisor = 1, factor = 0;
  int shift = 0;

  Divisor() = default;
  explicit Divisor(int64_t d) : divisor(static_cast<uint32_t>(d)) {
    int log = 0;
    while ((int64_t{1} << log) < d) ++log;
    shift = 31 + log;
    factor = static_cast<uint32_t>(((uint64_t{1} << shift) + divisor - 1) / divisor);
  }
  LATENT_HD uint32_t quotient(uint32_t n) const {
    return static_cast<uint32_t>((static_cast<uint64_t>(n) * factor) >> shift);
  }
  /// n becomes the quotient; gives the remainder.
  LATENT_HD uint32_t split(uint32_t& n) const {
    const uint32_t q = quotient(n), rest = n - q * divisor;
    n = q;
    return rest;
  }
};

}  // namespace latent
