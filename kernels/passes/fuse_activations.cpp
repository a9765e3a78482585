// Activations become the epilogue of the product before them, forward and backward:
//   f'(x) g              ->  g f'(y) with y = f(x), where f' is a function of y, so x is needed no longer
//   f(linear(x, w, b))   ->  linear<f>(x, w, b)
//   (g w) f'(y)          ->  one product with an epilogue
#include <map>

#include "core/graph/passes.h"
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

Graph fuse_forward(const Graph& graph) {
  const PointwiseFamily* plain = find_pointwise("linear");
  return rewrite(graph, [&](GraphRewriter& r, int id) {
    const Node& node = r.source.nodes()[id];
    const PointwiseFamily* family = family_of_forward(node.op);
    if (!family || !family->activation || r.users(node.inputs[0]) != 1) return;
    const Node& before = r.source.node(node.inputs[0]);
    if (before.leaf()) return;
    const AnyOp* fused = before.op == plain->linear        ? &family->linear
                         : before.op == plain->linear_tied ? &family->linear_tied
                                                           : nullptr;
    if (!fused) return;
    std::vector<Var> inputs;
    for (const Var& in : before.inputs) inputs.push_back(r[in]);
    r.replace(id, r.graph.apply(*fused, inputs));
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
      const bool tied = before.op == AnyOp(MatMul{.trans_b = true});
      if (!tied && !(before.op == AnyOp(MatMul{}))) return;
      const Var g = r[before.inputs[0]], w = r[before.inputs[1]], y = r[node.inputs[1]];
      if (w.type().rank() != 2 || g.type().rank() != y.type().rank()) return;
      r.replace(id, r.graph.apply(tied ? family->matmul_gradient_tied : family->matmul_gradient,
                                  {g, w, y}));
      return;
    }
  });
}

const RegisterPass outputs{{.name = "20 gradients from outputs", .run = gradients_from_outputs}};
const RegisterPass forward{{.name = "30 activation into linear", .run = fuse_forward}};
const RegisterPass backward{{.name = "40 activation gradient into product", .run = fuse_backward}};

}  // namespace
}  // namespace latent
