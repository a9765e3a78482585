// A loss and its gradient for a constant cotangent (the usual mean over rows) become one pass over memory.
#include "core/graph/passes.h"
#include "kernels/loss/family.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

/// The node that is the gradient of the loss at `forward` for a constant cotangent, or -1.
int constant_gradient_of(const GraphRewriter& r, int forward, const LossFamily& family) {
  const Graph& graph = r.source;
  const Node& loss = graph.nodes()[forward];
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id) {
    const Node& node = graph.nodes()[id];
    if (!r.live(id) || node.leaf() || !(node.op == family.gradient)) continue;
    if (node.inputs[1] != loss.inputs[0] || node.inputs[2] != loss.inputs[1]) continue;
    const Node& cotangent = graph.node(node.inputs[0]);
    if (cotangent.op && cotangent.op.as<Fill>() && node.types[0] == loss.inputs[0].type())
      return id;
  }
  return -1;
}

Graph fuse_losses(const Graph& graph) {
  return rewrite(graph, [](GraphRewriter& r, int id) {
    const Node& node = r.source.nodes()[id];
    const LossFamily* family = loss_of_forward(node.op);
    if (!family) return;
    const int gradient = constant_gradient_of(r, id, *family);
    if (gradient < 0) return;
    const double scale = r.source.node(r.source.nodes()[gradient].inputs[0]).op.as<Fill>()->value;
    const std::vector<Var> out =
        r.graph.apply(family->with_gradient(scale), {r[node.inputs[0]], r[node.inputs[1]]});
    r.replace(id, {out[0]});
    r.replace(gradient, {out[1]});
  });
}

const RegisterPass pass{{.name = "50 loss with its gradient", .run = fuse_losses}};

}  // namespace
}  // namespace latent
