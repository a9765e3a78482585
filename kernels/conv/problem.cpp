#include "kernels/conv/problem.h"

#include <algorithm>

namespace latent {
namespace {

/// Leading axes of a map or weight as those of 1 x 1 matrices: their rules are the product's.
Type leading(const Type& t) {
  Type result{t.dtype, {t.shape.begin(), t.shape.end() - 4}};
  result.shape.insert(result.shape.end(), {1, 1});
  return result;
}

bool has_map(const Type& t, const int64_t (&map)[2]) {
  return t.dim(2) == map[0] && t.dim(1) == map[1];
}

}  // namespace

Type conv_type(std::string_view op, Types in, const Window& w, ConvPass pass) {
  if (in.size() < 2) throw op_error(op, "takes two operands", in);
  const Type &a = in[0], &b = in[1];
  if (a.dtype != b.dtype || (a.dtype != DType::f32 && a.dtype != DType::f64))
    throw op_error(op, "both must be f32, or both f64", in);
  if (a.rank() < 4 || b.rank() < 4) throw op_error(op, "both must have four axes or more", in);
  const bool of_large = pass != ConvPass::transposed, of_weight = pass != ConvPass::weight;
  if (!has_map(a, of_large ? w.large : w.small) || !has_map(b, of_weight ? w.kernel : w.small))
    throw op_error(op,
                   cat("sizes are not those of a ", to_string(w), " window over ", w.large[0], "x",
                       w.large[1]),
                   in);
  if (of_weight && a.dim(0) != (of_large ? b.dim(0) : b.dim(3)))
    throw op_error(op, "channels differ", in);
  if (!of_weight && a.dim(3) != b.dim(3)) throw op_error(op, "rows differ", in);
  Shape shape;
  try {
    const Type both[] = {leading(a), leading(b)};
    shape = matmul_type(op, both, false, false).shape;
  } catch (const GraphError&) {
    throw op_error(op, "leading axes do not broadcast", in);
  }
  shape.resize(shape.size() - 2);
  const int64_t(&map)[2] = pass == ConvPass::forward      ? w.small
                           : pass == ConvPass::transposed ? w.large
                                                          : w.kernel;
  shape.insert(shape.end(), {of_weight ? a.dim(3) : b.dim(0), map[0], map[1],
                             pass == ConvPass::forward      ? b.dim(3)
                             : pass == ConvPass::transposed ? b.dim(0)
                                                            : a.dim(0)});
  return {a.dtype, shape};
}

ConvProblem conv_problem(Types in, const Window& window, ConvPass pass) {
  const Type &a = in[0], &b = in[1];
  // A transposed operand keeps make_gemm from folding: rows of a weight's gradient are summed over.
  const Gemm axes = make_gemm(leading(a), leading(b), pass == ConvPass::weight, false);
  ConvProblem p{.window = window, .rows = a.dim(3) * axes.m, .count = axes.count};
  p.batch = axes.batch;
  p.channels = pass == ConvPass::transposed ? b.dim(0) : a.dim(0);
  p.filters = pass == ConvPass::forward      ? b.dim(3)
              : pass == ConvPass::transposed ? a.dim(0)
                                             : b.dim(0);
  return p;
}

}  // namespace latent
