// Shape arithmetic that the structural ops share, and what they are to autodiff.
#include <algorithm>

#include "core/graph/autodiff.h"
#include "kernels/ops.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

struct RegisterAutodiff {
  RegisterAutodiff() {
    register_autodiff_ops({.add = add, .unbroadcast = unbroadcast, .fill = fill});
  }
};
const RegisterAutodiff registered;

}  // namespace

Shape broadcast_shapes(std::string_view op, Types in) {
  int rank = 0;
  for (const Type& t : in) rank = std::max(rank, t.rank());
  Shape shape(rank, 1);
  for (int axis = 0; axis < rank; ++axis) {
    int64_t& size = shape[rank - 1 - axis];
    for (const Type& t : in) {
      const int64_t d = t.dim(axis);
      if (d == 1 || d == size) continue;
      if (size != 1) throw op_error(op, "shapes do not broadcast", in);
      size = d;
    }
  }
  return shape;
}

Shape with_batch(Var cotangent, int batch_axes, const Shape& shape) {
  const Shape& c = cotangent.shape();
  Shape full(c.begin(), c.begin() + batch_axes);
  full.insert(full.end(), shape.begin(), shape.end());
  return full;
}

Var unbroadcast(Var cotangent, const Shape& shape, int batch_axes) {
  const Shape want = with_batch(cotangent, batch_axes, shape);
  if (cotangent.shape() == want) return cotangent;
  const Type from{cotangent.type().dtype,
                  {cotangent.shape().begin() + batch_axes, cotangent.shape().end()}};
  const Type to{from.dtype, shape};
  std::vector<int> axes;
  for (int axis = 0; axis < from.rank(); ++axis)
    if (to.dim(axis) != from.dim(axis)) axes.push_back(axis);
  return reshape(sum_axes(cotangent, axes, true), want);
}

Var sum_to(Var x, const Shape& shape) {
  if (broadcast_shapes("sum_to", std::vector<Type>{x.type(), {x.type().dtype, shape}}) != x.shape())
    throw op_error("sum_to", "shape does not broadcast to x: " + to_string(shape),
                   std::vector<Type>{x.type()});
  return unbroadcast(x, shape, 0);
}

Var fill_like(Var x, double value) { return fill(*x.graph, x.type(), value); }

Var sum(Var x) {
  std::vector<int> axes(x.type().rank());
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int>(i);
  return sum_axes(x, axes, false);
}

Var mean(Var x) { return sum(x) / static_cast<double>(x.type().elements()); }

Var sum_rows(Var x) {
  std::vector<int> axes(std::max(0, x.type().rank() - 1));
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int>(i);
  return sum_axes(x, axes, false);
}

Var mean_rows(Var x) {
  const Var total = sum_rows(x);
  return total *
         (static_cast<double>(total.type().elements()) / static_cast<double>(x.type().elements()));
}

Var sum_cols(Var x) {
  const int first = x.type().rank() - 1;
  return sum_axes(x, std::vector<int>{first}, false);
}

Var mean_cols(Var x) { return sum_cols(x) / static_cast<double>(x.shape().front()); }

}  // namespace latent
