// Activations become the epilogue of the product or convolution before them, forward and backward:
//   f'(x) g              ->  g f'(y) with y = f(x), where f' is a function of y, so x is needed no longer
//   f(linear(x, w, b))   ->  linear<f>(x, w, b), and so with conv
//   (g w) f'(y)          ->  one product with an epilogue, and so conv(g, w) f'(y)
#include <map>

#include "core/graph/passes.h"
#include "kernels/conv/conv.h"
#include "kernels/functions.h"
#include "kernels/matmul/matmul.h"

namespace latent {
namespace {

Graph gradients_from_outputs(const Graph& graph) {
  std::map<std::pair<int, int>, Var> outputs;  // (node, output) of x -> y = f(x) in the new graph
  return rewrite(graph, [&](GraphRewriter& r, int id) {
    const Node& node = r.source.nodes()[id];
    if (family_of_forward(node.op)) {
      r.copy(id);
      outputs[{node.inputs[0].node, node.inputs[0].output}] = r.outputs(id)[0];
      return;
    }
    const PointwiseFamily* family = family_of_gradient(node.op);
    if (!family || !family->output_gradient) return;
    const auto y = outputs.find({node.inputs[1].node, node.inputs[1].output});
    if (y == outputs.end() || !(y->second.graph->node(y->second).op == family->forward)) return;
    r.replace(id, r.graph.apply(family->output_gradient, {r[node.inputs[0]], y->second}));
  });
}

/// The linear layer `op` with the activation behind it; empty where op is none.
AnyOp with_activation(const AnyOp& op, const PointwiseFamily& family) {
  const PointwiseFamily* plain = find_pointwise("linear");
  if (op == plain->linear) return family.linear;
  if (op == plain->linear_tied) return family.linear_tied;
  if (const Conv* conv = plain->conv_of(op)) return family.conv(*conv);
  return {};
}

/// The gradient that `op` hands down, times the activation's under it; empty where op is no product or convolution.
AnyOp with_gradient(const AnyOp& op, const PointwiseFamily& family) {
  if (op == AnyOp(MatMul{})) return family.matmul_gradient;
  if (op == AnyOp(MatMul{.trans_b = true})) return family.matmul_gradient_tied;
  if (const Conv* conv = op.as<Conv>()) return family.conv_gradient(*conv);
  return {};
}

Graph fuse_forward(const Graph& graph) {
  return rewrite(graph, [&](GraphRewriter& r, int id) {
    const Node& node = r.source.nodes()[id];
    const PointwiseFamily* family = family_of_forward(node.op);
    if (!family || !family->activation || r.users(node.inputs[0]) != 1) return;
    const Node& before = r.source.node(node.inputs[0]);
    if (before.leaf()) return;
    const AnyOp fused = with_activation(before.op, *family);
    if (!fused) return;
    std::vector<Var> inputs;
    for (const Var& in : before.inputs) inputs.push_back(r[in]);
    r.replace(id, r.graph.apply(fused, inputs));
  });
}

Graph fuse_backward(const Graph& graph) {
  return rewrite(graph, [&](GraphRewriter& r, int id) {
    const Node& node = r.source.nodes()[id];
    for (const PointwiseFamily* family : pointwise_families()) {
      if (!family->activation || !family->output_gradient || !(node.op == family->output_gradient))
        continue;
      const Node& before = r.source.node(node.inputs[0]);
      if (before.leaf() || r.users(node.inputs[0]) != 1) return;
      const AnyOp fused = with_gradient(before.op, *family);
      if (!fused) return;
      const Var g = r[before.inputs[0]], w = r[before.inputs[1]], y = r[node.inputs[1]];
      const int one_weight = before.op.as<Conv>() ? 4 : 2;
      if (w.type().rank() != one_weight || g.type().rank() != y.type().rank()) return;
      r.replace(id, r.graph.apply(fused, {g, w, y}));
      return;
    }
  });
}

const RegisterPass outputs{{.name = "20 gradients from outputs", .run = gradients_from_outputs}};
const RegisterPass forward{{.name = "30 activation into linear", .run = fuse_forward}};
const RegisterPass backward{{.name = "40 activation gradient into product", .run = fuse_backward}};

}  // namespace
}  // namespace latent
