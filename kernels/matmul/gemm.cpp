#include "kernels/matmul/gemm.h"

#include <algorithm>

namespace latent {
namespace {

int64_t rows_of(const Type& t) { return t.dim(1); }
int64_t cols_of(const Type& t) { return t.dim(0); }

/// Appends an axis outside of the present ones, or widens the outermost where it walks on from it.
bool add_axis(BatchAxes& axes, int64_t size, int64_t stride_a, int64_t stride_b) {
  if (size == 1) return true;
  // While they are gathered, axes lie innermost first.
  if (axes.rank > 0) {
    const int last = axes.rank - 1;
    if (stride_a == axes.stride_a[last] * axes.size[last] &&
        stride_b == axes.stride_b[last] * axes.size[last]) {
      axes.size[last] *= size;
      return true;
    }
  }
  if (axes.rank == BatchAxes::kMax) return false;
  axes.size[axes.rank] = size;
  axes.stride_a[axes.rank] = stride_a;
  axes.stride_b[axes.rank] = stride_b;
  ++axes.rank;
  return true;
}

/// False where a and b take turns in being broadcast more often than BatchAxes can say.
bool find_batch_axes(const Type& a, const Type& b, BatchAxes& axes) {
  int64_t step_a = a.dim(0) * a.dim(1), step_b = b.dim(0) * b.dim(1);
  for (int axis = 2; axis < std::max(a.rank(), b.rank()); ++axis) {
    const int64_t size_a = a.dim(axis), size_b = b.dim(axis);
    if (!add_axis(axes, std::max(size_a, size_b), size_a == 1 ? 0 : step_a,
                  size_b == 1 ? 0 : step_b))
      return false;
    step_a *= size_a;
    step_b *= size_b;
  }
  std::reverse(axes.size, axes.size + axes.rank);
  std::reverse(axes.stride_a, axes.stride_a + axes.rank);
  std::reverse(axes.stride_b, axes.stride_b + axes.rank);
  return true;
}

}  // namespace

Type matmul_type(std::string_view op, Types in, bool trans_a, bool trans_b) {
  if (in.size() < 2) throw op_error(op, "takes two matrices", in);
  const Type &a = in[0], &b = in[1];
  if (a.dtype != b.dtype || (a.dtype != DType::f32 && a.dtype != DType::f64))
    throw op_error(op, "both must be f32, or both f64", in);
  if (a.rank() < 2 || b.rank() < 2) throw op_error(op, "both must have two axes or more", in);
  if ((trans_a ? rows_of(a) : cols_of(a)) != (trans_b ? cols_of(b) : rows_of(b)))
    throw op_error(op, "inner sizes differ", in);
  Shape shape(std::max(a.rank(), b.rank()));
  for (int axis = 2; axis < static_cast<int>(shape.size()); ++axis) {
    const int64_t size_a = a.dim(axis), size_b = b.dim(axis);
    if (size_a != size_b && size_a != 1 && size_b != 1)
      throw op_error(op, "batch axes do not broadcast", in);
    shape[shape.size() - 1 - axis] = size_a == 1 ? size_b : size_a;
  }
  BatchAxes axes;
  if (!find_batch_axes(a, b, axes)) throw op_error(op, "batch axes are too interleaved", in);
  shape[shape.size() - 2] = trans_a ? cols_of(a) : rows_of(a);
  shape[shape.size() - 1] = trans_b ? rows_of(b) : cols_of(b);
  return {a.dtype, shape};
}

Gemm make_gemm(const Type& a, const Type& b, bool trans_a, bool trans_b) {
  Gemm g;
  g.trans_a = trans_a;
  g.trans_b = trans_b;
  g.m = trans_a ? cols_of(a) : rows_of(a);
  g.k = trans_a ? rows_of(a) : cols_of(a);
  g.n = trans_b ? rows_of(b) : cols_of(b);
  const bool one_b = b.elements() == b.dim(0) * b.dim(1) && b.rank() <= a.rank();
  if (one_b && !trans_a) {
    g.m = g.k == 0 ? g.m : a.elements() / g.k;
    return g;
  }
  find_batch_axes(a, b, g.batch);
  for (int axis = 0; axis < g.batch.rank; ++axis) g.count *= g.batch.size[axis];
  return g;
}

}  // namespace latent
