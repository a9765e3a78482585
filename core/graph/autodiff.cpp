#include "core/graph/autodiff.h"

#include <algorithm>
#include <functional>
#include <map>

namespace latent {
namespace {

AutodiffOps& autodiff_ops() {
  static AutodiffOps ops;
  return ops;
}

/// Which nodes up to y's depend on one of `wrt`: only these need cotangents.
std::vector<bool> nodes_on_the_way(Var y, std::span<const Var> wrt) {
  const auto& nodes = y.graph->nodes();
  std::vector<bool> active(y.node + 1, false);
  for (const Var& v : wrt)
    if (v.node <= y.node) active[v.node] = true;
  for (int id = 0; id <= y.node; ++id)
    for (const Var& in : nodes[id].inputs)
      if (active[in.node]) active[id] = true;
  return active;
}

/// Shape of v behind the first `batch_axes` axes of `cotangent`.
Shape batched(const Var& cotangent, int batch_axes, const Shape& shape) {
  Shape full(cotangent.shape().begin(), cotangent.shape().begin() + batch_axes);
  full.insert(full.end(), shape.begin(), shape.end());
  return full;
}

/// Pulls back through `reference`, an op's meaning in plain graph ops.
std::vector<Var> vjp_of_reference(const Node& node, const Pullback& p);

/// An op's vjp may return nothing where it leaves these cotangents to the reference.
std::vector<Var> vjp(const Node& node, const Pullback& p) {
  if (node.op.has_vjp()) {
    std::vector<Var> result = node.op.vjp(p);
    if (!result.empty() || !node.op.has_reference()) return result;
  }
  if (node.op.has_reference()) return vjp_of_reference(node, p);
  throw GraphError(cat(node.op.name(), ": has no gradient", node.label.empty() ? "" : " (in ",
                       node.label, node.label.empty() ? "" : ")"));
}

/// Cotangents of one pullback, gathered by Var.
class Cotangents {
 public:
  explicit Cotangents(int batch_axes) : batch_axes_(batch_axes) {}

  /// Adds g to v's cotangent; broadcasting is undone once, here.
  void add(const Var& v, Var g) {
    if (g.shape() != batched(g, batch_axes_, v.shape()))
      g = autodiff_ops().unbroadcast(g, v.shape(), batch_axes_);
    Var& slot = at_[{v.node, v.output}];
    slot = slot ? autodiff_ops().add(slot, g) : g;
  }
  Var get(const Var& v) const {
    auto found = at_.find({v.node, v.output});
    return found == at_.end() ? Var{} : found->second;
  }

 private:
  int batch_axes_;
  std::map<std::pair<int, int>, Var> at_;
};

/// Walks ids downward from `top`, handing every active node its cotangents.
void walk(Graph& graph, int top, const std::vector<bool>& active, const std::vector<bool>& stop,
          int batch_axes, Cotangents& cotangents) {
  for (int id = top; id >= 0; --id) {
    if (!active[id] || stop[id]) continue;
    const Node node = graph.nodes()[id];  // a copy: vjp appends to the graph
    if (node.leaf()) continue;
    std::vector<Var> out, g;
    for (int o = 0; o < static_cast<int>(node.types.size()); ++o) {
      out.push_back({&graph, id, o});
      g.push_back(cotangents.get(out.back()));
    }
    if (std::ranges::none_of(g, [](const Var& v) { return bool(v); })) continue;
    std::vector<bool> needs;
    for (const Var& in : node.inputs) needs.push_back(active[in.node]);
    if (std::ranges::none_of(needs, std::identity())) continue;
    Graph::Scope scope(graph, node.label.empty()                   ? "gradient"
                              : node.label.starts_with("gradient") ? node.label
                                                                   : "gradient " + node.label);
    const std::vector<Var> result = vjp(node, {node.inputs, out, g, needs, batch_axes});
    for (size_t i = 0; i < node.inputs.size() && i < result.size(); ++i)
      if (needs[i] && result[i]) cotangents.add(node.inputs[i], result[i]);
  }
}

std::vector<Var> vjp_of_reference(const Node& node, const Pullback& p) {
  Graph& graph = *p.in.front().graph;
  const int first = static_cast<int>(graph.nodes().size());
  const std::vector<Var> out = node.op.reference(p.in);
  Cotangents cotangents(p.batch_axes);
  int top = -1;
  for (size_t o = 0; o < out.size(); ++o)
    if (p.cotangents[o]) {
      cotangents.add(out[o], p.cotangents[o]);
      top = std::max(top, out[o].node);
    }
  // Only what the reference appended is walked; the node's own inputs are where it ends.
  std::vector<bool> active(top + 1, false), stop(top + 1, false);
  for (size_t i = 0; i < p.in.size(); ++i)
    if (p.needs[i]) active[p.in[i].node] = stop[p.in[i].node] = true;
  for (int id = first; id <= top; ++id)
    for (const Var& in : graph.nodes()[id].inputs)
      if (active[in.node]) active[id] = true;
  walk(graph, top, active, stop, p.batch_axes, cotangents);
  std::vector<Var> result;
  std::vector<Var> taken;  // an input given twice gets its cotangent once
  for (size_t i = 0; i < p.in.size(); ++i) {
    const bool again = std::ranges::find(taken, p.in[i]) != taken.end();
    result.push_back(p.needs[i] && !again ? cotangents.get(p.in[i]) : Var{});
    taken.push_back(p.in[i]);
  }
  return result;
}

}  // namespace

void register_autodiff_ops(const AutodiffOps& ops) { autodiff_ops() = ops; }

std::vector<Var> pullback(Var y, std::span<const Var> wrt, Var seed, int batch_axes) {
  Graph& graph = *y.graph;
  if (batched(seed, batch_axes, y.shape()) != seed.shape())
    throw GraphError(cat("pullback: seed is ", to_string(seed.type()), " with ", batch_axes,
                         " batch axes, y is ", to_string(y.type())));
  Cotangents cotangents(batch_axes);
  cotangents.add(y, seed);
  walk(graph, y.node, nodes_on_the_way(y, wrt), std::vector<bool>(y.node + 1, false), batch_axes,
       cotangents);
  std::vector<Var> result;
  for (const Var& v : wrt) {
    Var g = cotangents.get(v);
    if (!g)
      g = autodiff_ops().fill(graph, {v.type().dtype, batched(seed, batch_axes, v.shape())}, 0.0);
    result.push_back(g);
  }
  return result;
}

std::vector<Var> gradient(Var y, std::span<const Var> wrt) {
  if (y.type().elements() != 1)
    throw GraphError(cat("gradient: y is ", to_string(y.type()), ", not a scalar"));
  return pullback(y, wrt, autodiff_ops().fill(*y.graph, y.type(), 1.0));
}

}  // namespace latent
