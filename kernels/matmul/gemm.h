// A matrix product as every backend sees it: sizes, transposes and how the batch axes walk through
// A and B.
#pragma once

#include <cstdint>

#include "core/base/hd.h"
#include "core/graph/op.h"

namespace latent {

/// Batch axes of C, outermost first; C is dense over them, A and B may repeat (stride 0).
struct BatchAxes {
  static constexpr int kMax = 4;
  int rank = 0;
  int64_t size[kMax] = {};
  int64_t stride_a[kMax] = {}, stride_b[kMax] = {};  ///< in elements

  LATENT_HD int64_t offset(int64_t index, const int64_t (&stride)[kMax]) const {
    int64_t offset = 0;
    for (int axis = rank - 1; axis >= 0; --axis) {
      offset += index % size[axis] * stride[axis];
      index /= size[axis];
    }
    return offset;
  }
  /// Elements before the matrix of A (of B) that makes matrix `index` of C.
  LATENT_HD int64_t a(int64_t index) const { return offset(index, stride_a); }
  LATENT_HD int64_t b(int64_t index) const { return offset(index, stride_b); }
};

/// C = op(A) op(B), row-major: A is [m, k] or, transposed, [k, m]; B is [k, n] or [n, k]; C is [m,
/// n].
struct Gemm {
  int64_t m = 0, n = 0, k = 0;
  bool trans_a = false, trans_b = false;
  int64_t count = 1;  ///< matrices of C
  BatchAxes batch;

  LATENT_HD int64_t lda() const { return trans_a ? m : k; }
  LATENT_HD int64_t ldb() const { return trans_b ? k : n; }
  double flops() const { return 2.0 * count * m * n * k; }
};

/// One block of a product: m, n, k as above, each operand with its own row stride.
struct BlockShape {
  int64_t m, n, k;
  bool trans_a, trans_b;
  int64_t lda, ldb, ldc;
};

/// The type of op(a) op(b), batch axes broadcast from the right. Throws op_error(op, ...) on ranks
/// below 2, inner sizes or batch axes that do not fit, and types other than f32 or f64.
Type matmul_type(std::string_view op, Types in, bool trans_a, bool trans_b);

/// The product for types that matmul_type accepts. Leading axes of `a` against one matrix `b` are
/// folded into m; batch axes that walk alike are folded into one.
Gemm make_gemm(const Type& a, const Type& b, bool trans_a, bool trans_b);

}  // namespace latent
