#include "kernels/structural/walk.h"

#include <vector>

#include "core/graph/op.h"

namespace latent {

Walk make_walk(std::string_view op, const Type& a, const Type& b, const Type& out) {
  Walk w;
  w.rank = 0;
  int64_t step_a = 1, step_b = 1;
  for (int axis = 0; axis < out.rank(); ++axis) {
    const int64_t size = out.dim(axis);
    if (size == 1) continue;
    const int64_t stride_a = a.dim(axis) == 1 ? 0 : step_a;
    const int64_t stride_b = b.dim(axis) == 1 ? 0 : step_b;
    step_a *= a.dim(axis);
    step_b *= b.dim(axis);
    const int last = w.rank - 1;
    const bool goes_on =
        last >= 0 && stride_a == w.a[last] * w.size[last] && stride_b == w.b[last] * w.size[last];
    if (goes_on) {
      w.size[last] *= size;
      continue;
    }
    if (w.rank == Walk::kMax) throw op_error(op, "more than 8 axes", std::vector<Type>{a, b});
    w.size[w.rank] = size;
    w.a[w.rank] = stride_a;
    w.b[w.rank++] = stride_b;
  }
  if (w.rank == 0) w = {.rank = 1, .size = {1}, .a = {1}, .b = {1}};  // one element
  return w;
}

}  // namespace latent
