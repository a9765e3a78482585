// How two tensors are walked while they broadcast to a third.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/hd.h"
#include "core/tensor/type.h"

namespace latent {

/// Axes of the result, innermost first; axes along which both inputs go on alike are folded into
/// one, so that rank 1 is a flat loop and rank 2 a matrix against a row, a column or a scalar. A
/// repeated axis has stride 0.
struct Walk {
  static constexpr int kMax = 8;
  int rank = 1;
  int64_t size[kMax] = {1}, a[kMax] = {}, b[kMax] = {};

  int64_t cols() const { return size[0]; }
  int64_t rows() const {
    int64_t n = 1;
    for (int axis = 1; axis < rank; ++axis) n *= size[axis];
    return n;
  }
  /// Where a row of the result begins in an input with these strides.
  template <bool kDeep>
  LATENT_HD int64_t start(int64_t row, const int64_t (&stride)[kMax]) const {
    if constexpr (!kDeep) return row * stride[1];
    int64_t offset = 0;
    for (int axis = 1; axis < rank; ++axis) {
      offset += row % size[axis] * stride[axis];
      row /= size[axis];
    }
    return offset;
  }
};

/// Throws GraphError naming `op` when more than 8 axes are left after folding.
Walk make_walk(std::string_view op, const Type& a, const Type& b, const Type& out);

}  // namespace latent
