#include "kernels/norm/norm.h"

#include <algorithm>

#include "kernels/ops.h"
#include "kernels/real.h"

namespace latent {

NormShape norm_shape(const Type& x) {
  NormShape n{.cols = x.dim(0)};
  n.rows = n.cols ? x.elements() / n.cols : 0;
  return n;
}

NormShape norm_shape(const Type& g, const Type& x) {
  NormShape n = norm_shape(x);
  n.batch = x.elements() ? g.elements() / x.elements() : 0;
  return n;
}

void require_norm_types(std::string_view op, Types in, size_t vectors) {
  require_reals(op, in, 1 + vectors);
  if (in[0].rank() < 1 || in[0].elements() == 0) throw op_error(op, "x has no rows", in);
  for (size_t i = 1; i <= vectors; ++i)
    if (in[i].shape != Shape{in[0].dim(0)})
      throw op_error(op, cat("input ", i, " is not [", in[0].dim(0), "]"), in);
}

Shape leading_axes(std::string_view op, Types in, const Type& g, const Type& x) {
  const int extra = g.rank() - x.rank();
  if (extra < 0 || !std::equal(x.shape.begin(), x.shape.end(), g.shape.begin() + extra))
    throw op_error(op, "g does not end as x", in);
  return {g.shape.begin(), g.shape.begin() + extra};
}

Shape with_lead(const Shape& lead, int64_t d) {
  Shape shape = lead;
  shape.push_back(d);
  return shape;
}

Var sum_norm_rows(Var g, int x_rank, bool keep) {
  std::vector<int> axes;
  for (int axis = 1; axis < x_rank; ++axis) axes.push_back(axis);
  return sum_axes(g, axes, keep);
}

}  // namespace latent
