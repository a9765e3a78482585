#include "models/jacobian.h"

#include "core/graph/autodiff.h"
#include "kernels/norm/batch_norm.h"
#include "kernels/ops.h"
#include "kernels/penalty/penalty.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

/// What v is a view of.
Var viewed(Var v) {
  while (!v.graph->node(v).leaf() && v.graph->node(v).op.as<Reshape>())
    v = v.graph->node(v).inputs[0];
  return v;
}

/// dh/dx t for t [count, rows, x...], by pulling a pullback back: u -> u' dh/dx is linear in u, so its own pullback of t is
/// dh/dx t, whatever u is.
Var pushforward(Var x, Var h, Var tangents) {
  const Var u = fill_like(h, 0);
  const Var pulled = pullback(h, std::vector{x}, u)[0];
  return pullback(pulled, std::vector{u}, tangents, 1)[0];
}

}  // namespace

bool mixes_rows(Var x, Var h) {
  const auto& nodes = h.graph->nodes();
  std::vector<bool> from_x(h.node + 1, false), to_h(h.node + 1, false);
  if (x.node <= h.node) from_x[x.node] = true;
  to_h[h.node] = true;
  for (int id = x.node + 1; id <= h.node; ++id)
    for (const Var& in : nodes[id].inputs)
      if (from_x[in.node]) from_x[id] = true;
  for (int id = h.node; id > x.node; --id) {
    if (!to_h[id] || !from_x[id]) continue;
    if (!nodes[id].leaf() && nodes[id].op.as<BatchNorm>()) return true;
    for (const Var& in : nodes[id].inputs) to_h[in.node] = true;
  }
  return false;
}

int64_t elements_of_row(Var v) {
  return v.type().elements() / std::max<int64_t>(1, v.shape().front());
}

std::optional<DenseBetween> dense_between(Var x, Var h) {
  const Graph& graph = *h.graph;
  const PointwiseFamily* plain = find_pointwise("linear");
  const auto made_by = [&](Var v) -> const Node& { return graph.node(v); };
  if (made_by(h).leaf()) return std::nullopt;
  DenseBetween layer{.family = family_of_forward(made_by(h).op)};
  layer.a = layer.family ? made_by(h).inputs[0] : h;
  if (!layer.family) layer.family = plain;
  const Node& product = made_by(layer.a);
  if (product.leaf() || !(product.op == plain->linear) || !layer.family->contractive)
    return std::nullopt;
  if (viewed(product.inputs[0]) != viewed(x) || product.inputs[0].type().rank() != 2)
    return std::nullopt;
  layer.w = product.inputs[1];
  return layer;
}

Var squared_jacobian(const DenseBetween& layer) {
  return apply(layer.family->contractive, {layer.a, sum_squares(layer.w)});
}

JacobianSeeds::Side cheaper_side(Var x, Var h) {
  return elements_of_row(h) <= elements_of_row(x) ? JacobianSeeds::Side::outputs
                                                  : JacobianSeeds::Side::inputs;
}

JacobianSeeds unit_seeds(Var x, Var h, JacobianSeeds::Side side) {
  const Var of = side == JacobianSeeds::Side::outputs ? h : x;
  const int64_t n = elements_of_row(of);
  Shape shape{n};
  shape.insert(shape.end(), of.shape().begin(), of.shape().end());
  return {side, reshape(unit_seeds(*of.graph, of.type().dtype, n, of.shape().front()), shape)};
}

Var jacobian_products(Var x, Var h, const JacobianSeeds& seeds) {
  if (seeds.side == JacobianSeeds::Side::inputs) return pushforward(x, h, seeds.seeds);
  return pullback(h, std::vector{x}, seeds.seeds, 1)[0];
}

Var sum_squares_of_rows(Var v) {
  const int64_t count = v.shape()[0], rows = v.shape()[1];
  return sum_cols(reshape(sum_squares(reshape(v, {count * rows, -1})), {count, rows}));
}

}  // namespace latent
