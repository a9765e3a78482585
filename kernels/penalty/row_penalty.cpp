#include "core/graph/op.h"
#include "kernels/real.h"

namespace latent {
void require_units(std::string_view op, Types in, const Type& h) {
  if (h.rank() == 0) throw op_error(op, "takes h [rows, units...]", in);
}

std::vector<Type> infer_row_gradient(std::string_view op, Types in, bool per_row, bool adds) {
  require_reals(op, in, adds ? 3 : 2);
  require_units(op, in, in[1]);
  const Shape& h = in[1].shape;
  const Shape tail = per_row ? Shape{h.front()} : h;
  if (in[0].shape.size() < tail.size() ||
      !std::equal(tail.rbegin(), tail.rend(), in[0].shape.rbegin()))
    throw op_error(op, "g does not fit", in);
  Type out = in[0];
  if (per_row) out.shape.insert(out.shape.end(), h.begin() + 1, h.end());
  if (adds && in[2] != out) throw op_error(op, cat("what is added must be ", to_string(out)), in);
  return {out};
}

std::vector<int> unit_axes(Var h) {
  std::vector<int> axes(h.type().rank() - 1);
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int>(i);
  return axes;
}

}  // namespace latent
