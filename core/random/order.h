// The order of examples in an epoch: a keyed bijection on [0, n). No permutation array, the same
// order on every device.
//
// An alternating Feistel network (Luby and Rackoff 1988) permutes the smallest power of two (256 or
// more) that holds n; what falls outside of [0, n) walks on along its cycle until it is inside
// (Black and Rogaway 2002), fewer than two turns on average.
#pragma once

#include <cstdint>

#include "core/base/hd.h"
#include "core/random/philox.h"

namespace latent {

class EpochOrder {
 public:
  /// The order of n >= 1 rows in this epoch under this seed.
  LATENT_HD EpochOrder(uint64_t seed, uint64_t epoch, uint64_t n) : n_(n) {
    int bits = kMinBits;
    while (bits < 63 && (uint64_t{1} << bits) < n) ++bits;
    right_bits_ = bits / 2;
    right_mask_ = mask(right_bits_);
    left_mask_ = mask(bits - right_bits_);
    keys_ = random_words4(seed, epoch, kStream, 0);
  }

  /// The row at position i of the epoch, i < n.
  LATENT_HD uint64_t operator()(uint64_t i) const {
    do i = permute(i);
    while (i >= n_);
    return i;
  }

 private:
  /// Made by the compiler: on a GPU there is no string_view, and nvcc takes code that asks one for unreachable.
  static constexpr uint64_t kStream = stream_of("order");
  static constexpr int kRounds = 6;
  /// Over less than this many bits so few rounds do not reach all orders equally often.
  static constexpr int kMinBits = 8;

  static LATENT_HD uint32_t mask(int bits) {
    return static_cast<uint32_t>((uint64_t{1} << bits) - 1);
  }

  /// A keyed hash of one half: multiplications and shifts (the finaliser of MurmurHash3).
  LATENT_HD uint32_t mix(uint32_t half, int round) const {
    uint32_t h = half + keys_.v[round % 4] + static_cast<uint32_t>(round) * 0x9E3779B9u;
    h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
    h = (h ^ (h >> 13)) * 0xC2B2AE35u;
    return h ^ (h >> 16);
  }

  LATENT_HD uint64_t permute(uint64_t i) const {
    uint32_t left = static_cast<uint32_t>(i >> right_bits_);
    uint32_t right = static_cast<uint32_t>(i) & right_mask_;
    for (int round = 0; round < kRounds; round += 2) {
      left ^= mix(right, round) & left_mask_;
      right ^= mix(left, round + 1) & right_mask_;
    }
    return uint64_t{left} << right_bits_ | right;
  }

  uint64_t n_;
  Words4 keys_;
  uint32_t left_mask_, right_mask_;
  int right_bits_;
};

}  // namespace latent
