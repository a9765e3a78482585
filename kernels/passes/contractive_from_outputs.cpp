// The contractive penalty of a layer from its output y = f(a) instead of a, so that a is needed no longer and f can become
// the epilogue of its product.
#include <map>

#include "core/graph/passes.h"
#include "kernels/functions.h"

namespace latent {
namespace {

const PointwiseFamily* family_with(AnyOp PointwiseFamily::*member, const AnyOp& op) {
  for (const PointwiseFamily* family : pointwise_families())
    if (family->activation && family->contractive_from_output && family->*member == op)
      return family;
  return nullptr;
}

Graph from_outputs(const Graph& graph) {
  std::map<std::pair<int, int>, Var> outputs;  // (node, output) of a -> y = f(a) in the new graph
  return rewrite(graph, [&](GraphRewriter& r, int id) {
    const Node& node = r.source.nodes()[id];
    if (family_of_forward(node.op)) {
      r.copy(id);
      outputs[{node.inputs[0].node, node.inputs[0].output}] = r.outputs(id)[0];
      return;
    }
    const PointwiseFamily* forward = family_with(&PointwiseFamily::contractive, node.op);
    const PointwiseFamily* gradient =
        forward ? nullptr : family_with(&PointwiseFamily::contractive_gradient, node.op);
    if (!forward && !gradient) return;
    const Var a = node.inputs[forward ? 0 : 1];
    const auto y = outputs.find({a.node, a.output});
    const PointwiseFamily* family = forward ? forward : gradient;
    if (y == outputs.end() || !(y->second.graph->node(y->second).op == family->forward)) return;
    std::vector<Var> in;
    for (const Var& v : node.inputs) in.push_back(v == a ? y->second : r[v]);
    r.replace(id, r.graph.apply(forward ? family->contractive_from_output
                                        : family->contractive_gradient_from_output,
                                in));
  });
}

const RegisterPass pass{{.name = "25 contractive from outputs", .run = from_outputs}};

}  // namespace
}  // namespace latent
