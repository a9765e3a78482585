// Weights kept at norm 1: behind the optimizer's step, in the flat buffer of parameters.
#pragma once

#include <vector>

#include "core/graph/op.h"

namespace latent {

/// (latch u64[1], p [P]) -> p with the rows or columns of some matrices in it brought to Euclidean
/// norm 1 (zeros stay). Where the latch is not 0, nothing changes. No gradient flows.
struct UnitNorm {
  static constexpr const char* name = "unit_norm";
  struct Matrix {
    int64_t offset = 0, rows = 0, cols = 0;  ///< where in p, [rows, cols]
    bool columns = false;                    ///< its columns, else its rows
    bool operator==(const Matrix&) const = default;
  };
  std::vector<Matrix> matrices;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  std::vector<Var> vjp(const Pullback& p) const { return std::vector<Var>(p.in.size()); }
  int overwrites(int) const { return 1; }
  Cost cost(const Signature& s) const;
  bool operator==(const UnitNorm&) const = default;
};

}  // namespace latent
