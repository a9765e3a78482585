// Top-k: the k largest entries of each row stay, the others become 0 (Makhzani and Frey 2013).
#pragma once

#include <vector>

#include "core/graph/op.h"

namespace latent {

/// (x [..., d]) or (x [..., d], k []) -> as x. Largest by value, or by magnitude; of equal ones
/// those with the lowest index; NaN counts as larger than everything, so that it stays to be seen.
/// k is read where it lies (f32, f64, i32 or u64), rounded, and taken into [1, d].
///
/// The gradient passes through the entries kept; beyond that selection the op is linear. A kept
/// zero is -0, a dropped entry +0: which entries were kept is known from the result alone, and x
/// need not be.
struct TopK {
  static constexpr const char* name = "topk";
  int64_t k = 1;  ///< where it is no input
  bool magnitude = false;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  std::vector<Var> vjp(const Pullback& p) const;
  int overwrites(int) const { return 0; }
  Cost cost(const Signature& s) const;
  bool operator==(const TopK&) const = default;
};

/// (g [..., y...], y) -> g where TopK kept y's entry, else 0.
struct TopKGradient {
  static constexpr const char* name = "topk.gradient";

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  std::vector<Var> vjp(const Pullback& p) const;
  int overwrites(int) const { return 0; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 1); }
  bool operator==(const TopKGradient&) const = default;
};

}  // namespace latent
