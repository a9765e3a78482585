#include "kernels/penalty/contractive.h"

#include "core/graph/autodiff.h"
#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/penalty/penalty.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

/// f'(v) in graph ops.
Var slope(std::string_view function, Var v, bool from_output) {
  const PointwiseFamily* family = find_pointwise(function);
  return apply(from_output ? family->output_gradient : family->gradient, {fill_like(v, 1), v});
}

Var rows_of(std::string_view function, Var v, Var norms, bool from_output) {
  return sum_rows(square(slope(function, v, from_output)) * norms);
}

}  // namespace

std::vector<Type> infer_contractive(std::string_view op, Types in) {
  require_reals(op, in, 2);
  const Type &v = in[0], &w = in[1];
  if (v.rank() != 2 || w.rank() != 2 || v.dim(0) != w.dim(1))
    throw op_error(op, "takes a [rows, units] and w [units, inputs]", in);
  return {{v.dtype, {v.shape[0]}}, {v.dtype, {v.shape[1]}}};
}

std::vector<Type> infer_contractive_gradient(std::string_view op, Types in, bool bends) {
  require_reals(op, in, 4);
  const std::vector<Type> forward = infer_contractive(op, in.subspan(1, 2));
  const Type& c = in[0];
  if (c.rank() == 0 || c.dim(0) != forward[0].dim(0) || in[3] != forward[1])
    throw op_error(op, "takes c [..., rows], a [rows, units], w and norms [units]", in);
  const auto behind = [&](const Type& type) {
    Type out{c.dtype, {c.shape.begin(), c.shape.end() - 1}};
    out.shape.insert(out.shape.end(), type.shape.begin(), type.shape.end());
    return out;
  };
  std::vector<Type> out{behind(in[2])};
  if (bends) out.push_back(behind(in[1]));
  return out;
}

std::vector<Var> contractive_reference(std::string_view function, std::span<const Var> in,
                                       bool from_output) {
  const Var norms = sum_rows(square(in[1]));
  return {rows_of(function, in[0], norms, from_output), norms};
}

std::vector<Var> contractive_gradient_reference(std::string_view function, std::span<const Var> in,
                                                bool bends) {
  const Var c = in[0], v = in[1], w = in[2], norms = in[3];
  const int batch_axes = c.type().rank() - 1;
  const std::vector<Var> g =
      pullback(rows_of(function, v, norms, false), std::vector{norms, v}, c, batch_axes);
  std::vector<Var> out{pullback(sum_rows(square(w)), std::vector{w}, g[0], batch_axes)[0]};
  if (bends) out.push_back(g[1]);
  return out;
}

std::vector<Var> contractive_vjp(const AnyOp& gradient, const Pullback& p) {
  const Var c = p.cotangents[0], of_norms = p.cotangents[1], a = p.in[0], w = p.in[1];
  std::vector<Var> result(2);
  if (c) {
    const std::vector<Var> in{c, a, w, p.out[1]};
    const std::vector<Var> g = apply_all(gradient, in);
    if (p.needs[1]) result[1] = g[0];
    if (p.needs[0] && g.size() > 1) result[0] = g[1];
  }
  if (of_norms && p.needs[1]) {
    const Var more = pullback(sum_squares(w), std::vector{w}, of_norms, p.batch_axes)[0];
    result[1] = result[1] ? result[1] + more : more;
  }
  return result;
}

Cost contractive_cost(const Signature& s) {
  Cost cost = streaming_cost(s, 0);
  cost.flops =
      6 * static_cast<double>(s.in[0].elements()) + 2 * static_cast<double>(s.in[1].elements());
  cost.launches = 2;
  return cost;
}

Cost contractive_gradient_cost(const Signature& s) {
  const int64_t rows = s.in[1].shape[0];
  const double batch = rows ? static_cast<double>(s.in[0].elements() / rows) : 0;
  Cost cost = streaming_cost(s, 0);
  cost.flops = batch * (10 * static_cast<double>(s.in[1].elements()) +
                        2 * static_cast<double>(s.in[2].elements()));
  cost.launches = static_cast<int>(batch) * (reduce_cols_launches(rows) + 1);
  return cost;
}

std::vector<Sample> contractive_samples(const PointwiseFamily& family, int order) {
  std::vector<Sample> all;
  const Sample::Range a{-2, 2}, y{0.1, 0.9};  // y: values that every activation has
  auto add = [&](const AnyOp& op, const std::string& name, const std::vector<Shape>& in,
                 Sample::Range v, int up_to, bool bench = false) {
    if (!op) return;
    Sample s{.name = cat("contractive/", family.name, "/", name),
             .op = op,
             .in = {},
             .order = std::max(0, up_to),
             .bench = bench};
    for (const Shape& shape : in) s.in.push_back({DType::f32, shape});
    s.range = {v, {-1, 1}};
    if (in.size() == 4) s.range = {{-1, 1}, v, {-1, 1}, {0.5, 2}};
    all.push_back(std::move(s));
  };
  const auto add_all = [&](int64_t rows, int64_t inputs, int64_t units, bool exact, bool bench) {
    const std::string size = cat(rows, "x", inputs, "x", units);
    const std::vector<Shape> forward{{rows, units}, {units, inputs}},
        gradient{{rows}, {rows, units}, {units, inputs}, {units}};
    add(family.contractive, size, forward, a, exact ? order : 0, bench);
    add(family.contractive_from_output, "from_output/" + size, forward, y, 0, bench);
    add(family.contractive_gradient, "gradient/" + size, gradient, a, exact ? order - 1 : 0, bench);
    add(family.contractive_gradient_from_output, "output_gradient/" + size, gradient, y, 0, bench);
  };
  add_all(1, 1, 1, true, false);
  add_all(1, 5, 37, true, false);
  add_all(37, 6, 1, true, false);
  add_all(19, 35, 17, true, false);
  add_all(1100, 5, 33, false, false);
  add(family.contractive, "2x1100x3", {{2, 3}, {3, 1100}}, a, 0);
  add(family.contractive_gradient, "gradient/batched", {{2, 5}, {5, 7}, {7, 3}, {7}}, a, order - 1);
  if (family.name == "sigmoid") add_all(256, 784, 1000, false, true);
  return all;
}

}  // namespace latent
