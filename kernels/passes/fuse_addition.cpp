// Two values that are added: where one of them is made last, the other is added as it is made (kernels/adding.h).
#include "core/graph/passes.h"
#include "kernels/adding.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

/// The addition that alone reads v, with what is added to it; -1: there is none, or shapes differ.
struct Addition {
  int node = -1;
  Var other;
};

Addition addition_of(const GraphRewriter& r, Var v) {
  if (r.users(v) != 1) return {};
  const auto& nodes = r.source.nodes();
  for (int id = v.node + 1; id < static_cast<int>(nodes.size()); ++id) {
    const Node& node = nodes[id];
    if (!r.live(id) || !node.op || !node.op.as<Add>()) continue;
    for (const int side : {0, 1})
      if (node.inputs[side] == v) {
        const Var other = node.inputs[1 - side];
        const bool alike = other.type() == v.type() && node.types[0] == v.type();
        return alike ? Addition{id, other} : Addition{};
      }
  }
  return {};
}

std::vector<Var> inputs_with(const GraphRewriter& r, const Node& node, Var more) {
  std::vector<Var> in;
  for (const Var& v : node.inputs) in.push_back(r[v]);
  in.push_back(r[more]);
  return in;
}

/// At the op that makes a summand, if the other one is there.
bool add_where_made(GraphRewriter& r, int id) {
  const Node& node = r.source.nodes()[id];
  const std::optional<AnyOp> op = adding(node.op);
  if (!op) return false;
  const auto [sum, other] = addition_of(r, Var{node.inputs.at(0).graph, id, 0});
  if (sum < 0 || r.visited(sum) || !r[other]) return false;
  const std::vector<Var> out = r.graph.apply(*op, inputs_with(r, node, other));
  r.replace(id, out);
  r.replace(sum, {out[0]});
  return true;
}

/// At the addition: a summand of an op with one output is made here, behind the other one.
void add_where_added(GraphRewriter& r, int id) {
  const Node& node = r.source.nodes()[id];
  if (!node.op.as<Add>()) return;
  for (const int side : {0, 1}) {
    const Var summand = node.inputs[side], other = node.inputs[1 - side];
    const Node& made = r.source.node(summand);
    if (made.leaf() || made.types.size() != 1 || r.users(summand) != 1 ||
        summand.type() != node.types[0] || other.type() != node.types[0])
      continue;
    if (const std::optional<AnyOp> op = adding(made.op))
      return r.replace(id, r.graph.apply(*op, inputs_with(r, made, other)));
  }
}

Graph fuse_additions(const Graph& graph) {
  return rewrite(graph, [](GraphRewriter& r, int id) {
    if (!add_where_made(r, id)) add_where_added(r, id);
  });
}

const RegisterPass pass{{.name = "70 sum where a summand is made", .run = fuse_additions}};

}  // namespace
}  // namespace latent
