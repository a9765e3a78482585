// Dropout (Srivastava et al. 2014), scaled in training so that the mean stays.
#pragma once

#include <vector>

#include "core/graph/op.h"

namespace latent {

/// (seed u64[1], step u64[1], x) -> x_i / (1 - rate) where element i of the stream is kept, else 0.
/// `leading` axes of x share one mask, whose elements are those of the other axes. Its gradient is
/// itself: the mask is drawn again, never stored.
struct Dropout {
  static constexpr const char* name = "dropout";
  double rate = 0.5;  ///< in [0, 1), to a multiple of 2^-24
  uint64_t stream = 0;
  int leading = 0;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  std::vector<Var> vjp(const Pullback& p) const;
  std::vector<Var> reference(std::span<const Var> in) const;
  int overwrites(int) const { return 2; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 20); }
  bool operator==(const Dropout&) const = default;
};

}  // namespace latent
