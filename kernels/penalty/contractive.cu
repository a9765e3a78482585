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
  if (in[0].rank() != 2 || in[1].shape != Shape{in[0].dim(0)})
    throw op_error(op, "takes a [rows, units] and norms [units]", in);
  return {{in[0].dtype, {in[0].shape[0]}}};
}

std::vector<Type> infer_contractive_gradient(std::string_view op, Types in, bool bends) {
  require_reals(op, in, 3);
  const Type of_rows = infer_contractive(op, in.subspan(1)).front(), &c = in[0];
  if (c.rank() == 0 || c.dim(0) != of_rows.dim(0))
    throw op_error(op, "takes c [..., rows], a [rows, units] and norms [units]", in);
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
  return {rows_of(function, in[0], in[1], from_output)};
}

std::vector<Var> contractive_gradient_reference(std::string_view function, std::span<const Var> in,
                                                bool bends) {
  const Var c = in[0], a = in[1], norms = in[2];
  std::vector<Var> g =
      pullback(rows_of(function, a, norms, false), std::vector{norms, a}, c, c.type().rank() - 1);
  if (!bends) g.pop_back();
  return g;
}

Cost contractive_gradient_cost(const Signature& s) {
  const int64_t rows = s.in[1].shape[0];
  const auto batch = static_cast<double>(rows ? s.in[0].elements() / rows : 0);
  Cost cost = streaming_cost(s, 0);
  cost.flops = 10 * batch * static_cast<double>(s.in[1].elements());
  cost.launches = static_cast<int>(batch) * reduce_cols_launches(rows);
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
    s.range = {v, {0.5, 2}};
    if (in.size() == 3) s.range.insert(s.range.begin(), {-1, 1});
    all.push_back(std::move(s));
  };
  const auto add_all = [&](int64_t rows, int64_t units, bool exact, bool bench) {
    const std::string size = cat(rows, "x", units);
    const std::vector<Shape> forward{{rows, units}, {units}},
        gradient{{rows}, {rows, units}, {units}};
    add(family.contractive, size, forward, a, exact ? order : 0, bench);
    add(family.contractive_from_output, "from_output/" + size, forward, y, 0, bench);
    add(family.contractive_gradient, "gradient/" + size, gradient, a, exact ? order - 1 : 0, bench);
    add(family.contractive_gradient_from_output, "output_gradient/" + size, gradient, y, 0, bench);
  };
  add_all(1, 1, true, false);
  add_all(1, 37, true, false);
  add_all(37, 1, true, false);
  add_all(19, 35, true, false);
  add_all(1100, 33, false, false);
  add(family.contractive, "2x1100", {{2, 1100}, {1100}}, a, 0);
  add(family.contractive_gradient, "gradient/batched", {{2, 5}, {5, 7}, {7}}, a, order - 1);
  if (family.name == "sigmoid") add_all(256, 1000, false, true);
  return all;
}

}  // namespace latent
