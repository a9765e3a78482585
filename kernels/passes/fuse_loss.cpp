// A loss and its gradient for a constant cotangent (the usual mean over rows) become one pass over memory.
#include <algorithm>

#include "core/graph/passes.h"
#include "kernels/loss/family.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

/// The node that is the gradient of the loss at `forward` for a constant cotangent, or -1.
int constant_gradient_of(const GraphRewriter& r, int forward, const AnyOp& gradient) {
  const Graph& graph = r.source;
  const Node& loss = graph.nodes()[forward];
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id) {
    const Node& node = graph.nodes()[id];
    if (!r.live(id) || node.leaf() || !(node.op == gradient)) continue;
    if (!std::equal(node.inputs.begin() + 1, node.inputs.end(), loss.inputs.begin(),
                    loss.inputs.end()))
      continue;
    const Node& cotangent = graph.node(node.inputs[0]);
    if (cotangent.op && cotangent.op.as<Fill>() && node.types[0] == loss.inputs[0].type())
      return id;
  }
  return -1;
}

Graph fuse_losses(const Graph& graph) {
  return rewrite(graph, [](GraphRewriter& r, int id) {
    const Node& node = r.source.nodes()[id];
    if (node.leaf()) return;
    const std::optional<LossOps> loss = loss_ops(node.op);
    if (!loss) return;
    const int gradient = constant_gradient_of(r, id, loss->gradient);
    if (gradient < 0) return;
    const double scale = r.source.node(r.source.nodes()[gradient].inputs[0]).op.as<Fill>()->value;
    std::vector<Var> in;
    for (const Var& v : node.inputs) in.push_back(r[v]);
    const std::vector<Var> out = r.graph.apply(loss->with_gradient(scale), in);
    r.replace(id, {out[0]});
    r.replace(gradient, {out[1]});
  });
}

const RegisterPass pass{{.name = "50 loss with its gradient", .run = fuse_losses}};

}  // namespace
}  // namespace latent
