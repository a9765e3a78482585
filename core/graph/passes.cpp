#include "core/graph/passes.h"

#include <algorithm>

namespace latent {
namespace {

std::set<int> live_nodes(const Graph& graph) {
  std::set<int> seen;
  std::vector<int> todo;
  for (const Assignment& a : graph.assignments())
    todo.insert(todo.end(), {a.leaf.node, a.value.node});
  for (const auto& [name, v] : graph.outputs()) todo.push_back(v.node);
  while (!todo.empty()) {
    const int id = todo.back();
    todo.pop_back();
    if (!seen.insert(id).second) continue;
    for (const Var& in : graph.nodes()[id].inputs) todo.push_back(in.node);
  }
  return seen;
}

std::vector<Pass>& registered() {
  static std::vector<Pass> passes;
  return passes;
}

}  // namespace

GraphRewriter::GraphRewriter(const Graph& from) : source(from) {
  // Variables keep their order, which is the order of flat buffers, also where a pass leaves one
  // unused.
  graph.variables_ = source.variables_;
  graph.order_ = source.order_;
  live_ = live_nodes(source);
  for (int id : live_)
    for (const Var& in : source.nodes()[id].inputs) ++users_[{in.node, in.output}];
  for (const Assignment& a : source.assignments()) ++users_[{a.value.node, a.value.output}];
  for (const auto& [name, v] : source.outputs()) ++users_[{v.node, v.output}];
}

Var GraphRewriter::operator[](Var v) const {
  auto found = values_.find(v.node);
  return found == values_.end() ? Var{} : found->second[v.output];
}

void GraphRewriter::replace(int node, std::vector<Var> values) {
  values_[node] = std::move(values);
}

int GraphRewriter::users(Var v) const {
  auto found = users_.find({v.node, v.output});
  return found == users_.end() ? 0 : found->second;
}

void GraphRewriter::copy(int id) {
  const Node& node = source.nodes()[id];
  if (node.leaf()) {
    Node leaf = node;
    const int at = static_cast<int>(graph.nodes_.size());
    if (!node.variable.empty()) graph.leaves_[node.variable] = at;
    if (!node.flat.empty()) graph.flats_[node.flat] = at;
    graph.nodes_.push_back(std::move(leaf));
    values_[id] = {{&graph, at, 0}};
    return;
  }
  std::vector<Var> inputs;
  for (const Var& in : node.inputs) inputs.push_back((*this)[in]);
  Graph::Scope scope(graph, node.label);
  values_[id] = graph.apply(node.op, inputs);
}

void GraphRewriter::finish() {
  for (const Assignment& a : source.assignments()) graph.assign((*this)[a.leaf], (*this)[a.value]);
  for (const auto& [name, v] : source.outputs()) graph.output(name, (*this)[v]);
}

Graph rewrite(const Graph& source, const std::function<void(GraphRewriter&, int)>& rule) {
  GraphRewriter rewriter(source);
  for (int id : rewriter.live_) {
    if (rewriter.values_.contains(id)) continue;
    if (!source.nodes()[id].leaf()) {
      Graph::Scope scope(rewriter.graph, source.nodes()[id].label);
      rule(rewriter, id);
    }
    if (!rewriter.values_.contains(id)) rewriter.copy(id);
  }
  rewriter.finish();
  return std::move(rewriter.graph);
}

Graph common_subexpressions(const Graph& graph) {
  std::map<std::string, std::vector<int>> by_name;  // ids in the source
  return rewrite(graph, [&](GraphRewriter& r, int id) {
    const Node& node = r.source.nodes()[id];
    for (int earlier : by_name[node.op.name()]) {
      const Node& other = r.source.nodes()[earlier];
      if (other.inputs.size() != node.inputs.size() || !(other.op == node.op)) continue;
      const bool same = std::ranges::equal(
          node.inputs, other.inputs, [&](const Var& a, const Var& b) { return r[a] == r[b]; });
      if (!same) continue;
      r.replace(id, r.outputs(earlier));
      return;
    }
    by_name[node.op.name()].push_back(id);
  });
}

void register_pass(const Pass& pass) {
  registered().push_back(pass);
  std::ranges::stable_sort(registered(), {}, &Pass::name);
}

const std::vector<Pass>& passes() { return registered(); }

Graph optimise(const Graph& graph) {
  Graph result = common_subexpressions(graph);
  for (const Pass& pass : registered()) result = pass.run(result);
  return common_subexpressions(result);
}

}  // namespace latent
