// What flows to a value from a penalty and from elsewhere is added where the penalty's gradient is made.
#include "core/graph/passes.h"
#include "kernels/penalty/adding.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

void add_into(GraphRewriter& r, int id) {
  const Node& node = r.source.nodes()[id];
  if (!node.op.as<Add>()) return;
  for (const int side : {0, 1}) {
    const Var penalty = node.inputs[side], other = node.inputs[1 - side];
    const Node& gradient = r.source.node(penalty);
    if (gradient.leaf() || r.users(penalty) != 1 || penalty.type() != node.types[0] ||
        other.type() != node.types[0])
      continue;
    const std::optional<AnyOp> op = adding(gradient.op);
    if (!op) continue;
    std::vector<Var> in;
    for (const Var& v : gradient.inputs) in.push_back(r[v]);
    in.push_back(r[other]);
    return r.replace(id, r.graph.apply(*op, in));
  }
}

Graph add_into_penalties(const Graph& graph) { return rewrite(graph, add_into); }

const RegisterPass pass{{.name = "70 sum into a penalty's gradient", .run = add_into_penalties}};

}  // namespace
}  // namespace latent
