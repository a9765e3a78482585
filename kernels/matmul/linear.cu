#include "kernels/matmul/linear.h"

#include "core/graph/samples.h"
#include "kernels/matmul/matmul.h"
#include "kernels/ops.h"

namespace latent {

std::vector<Type> infer_linear(std::string_view op, Types in, bool trans_w) {
  if (in.size() != 2 && in.size() != 3) throw op_error(op, "takes x, w and, optionally, b", in);
  if (in[1].rank() != 2) throw op_error(op, "w must have two axes", in);
  const Type out = matmul_type(op, in.first(2), false, trans_w);
  if (in.size() == 3 && in[2] != Type{out.dtype, {out.dim(0)}})
    throw op_error(op, cat("b must be ", to_string(Type{out.dtype, {out.dim(0)}})), in);
  return {out};
}

std::vector<Type> infer_product_gradient(std::string_view op, Types in, bool trans_w, bool adds) {
  if (in.size() != (adds ? 4u : 3u))
    throw op_error(op, adds ? "takes g, w, y and what is added" : "takes g, w and y", in);
  if (in[1].rank() != 2) throw op_error(op, "w must have two axes", in);
  const Type out = matmul_type(op, in.first(2), false, !trans_w);
  for (const Type& t : in.subspan(2))
    if (t != out) throw op_error(op, cat("y and what is added must be ", to_string(out)), in);
  return {out};
}

std::vector<Var> linear_reference(std::string_view function, std::span<const Var> in,
                                  bool trans_w) {
  Var y = matmul(in[0], in[1], false, trans_w);
  if (in.size() == 3) y = add(y, in[2]);
  return {function.empty() ? y : apply(find_pointwise(function)->forward, {y})};
}

std::vector<Var> product_gradient_reference(std::string_view function, std::span<const Var> in,
                                            bool trans_w) {
  Var g = matmul(in[0], in[1], false, !trans_w);
  if (!function.empty()) g = apply(find_pointwise(function)->output_gradient, {g, in[2]});
  return {in.size() > 3 ? add(g, in[3]) : g};
}

Var linear(Var x, Var w, Var b, bool trans_w) {
  const Linear<Identity> op{trans_w};
  return b ? apply(op, {x, w, b}) : apply(op, {x, w});
}

namespace {

/// Samples of every function that layers may have.
std::vector<Sample> samples() {
  std::vector<Sample> all;
  for (const PointwiseFamily* family : pointwise_families()) {
    if (!family->activation) continue;
    const bool timed = family->name == "relu" || family->name == "linear";
    auto add = [&](const AnyOp& op, const std::string& name, std::vector<Shape> in, int order,
                   bool bench = false) {
      Sample s{.name = cat("linear/", family->name, "/", name),
               .op = op,
               .in = {},
               .order = order,
               .bench = bench};
      for (Shape& shape : in) s.in.push_back({DType::f32, std::move(shape)});
      all.push_back(std::move(s));
    };
    add(family->linear, "one", {{1, 1}, {1, 1}, {1}}, 2);
    add(family->linear, "odd", {{19, 35}, {17, 35}, {17}}, 2);
    add(family->linear, "rows", {{2, 3, 7}, {5, 7}, {5}}, 2);
    add(family->linear, "no_bias", {{5, 3}, {6, 3}}, 2);
    add(family->linear, "many_tiles", {{300, 20}, {400, 20}, {400}}, 0);
    if (timed) {
      add(family->linear, "256x784x32", {{256, 784}, {32, 784}, {32}}, 0, true);
      add(family->linear, "256x32x784", {{256, 32}, {784, 32}, {784}}, 0, true);
    }
    add(family->linear_tied, "tied", {{19, 35}, {35, 17}, {17}}, 2);
    if (!family->matmul_gradient) continue;
    add(family->matmul_gradient, "gradient/odd", {{19, 17}, {17, 35}, {19, 35}}, 0);
    add(family->matmul_gradient, "gradient/rows", {{2, 3, 5}, {5, 7}, {2, 3, 7}}, 0);
    if (const auto more = adding(family->matmul_gradient))
      add(*more, "gradient/odd/adds", {{19, 17}, {17, 35}, {19, 35}, {19, 35}}, 0);
    if (timed)
      add(family->matmul_gradient, "gradient/256x784x32", {{256, 784}, {784, 32}, {256, 32}}, 0,
          true);
    add(family->matmul_gradient_tied, "gradient/tied", {{19, 17}, {35, 17}, {19, 35}}, 0);
  }
  return all;
}
const RegisterSamples registered{"matmul/linear", samples};

}  // namespace
}  // namespace latent
