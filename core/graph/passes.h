// Passes: graph in, equivalent graph out. Kernels register the fusions that name their ops.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/graph/graph.h"

namespace latent {

/// Copies a graph node by node; a rule may put something else in a node's place.
struct GraphRewriter {
  explicit GraphRewriter(const Graph& source);

  /// What stands for v in the new graph; an empty Var where it has not been visited.
  Var operator[](Var v) const;
  bool visited(int node) const { return values_.contains(node); }
  /// Whether an assignment or output needs the node.
  bool live(int node) const { return live_.contains(node); }
  /// All outputs of a node of the source, as they are in the new graph.
  std::vector<Var> outputs(int node) const { return values_.at(node); }
  /// The node's outputs (all of them) are `values` from now on; its visit is skipped.
  void replace(int node, std::vector<Var> values);
  /// Copies the node as it is.
  void copy(int node);
  /// Nodes that read v, assignments and outputs counted too.
  int users(Var v) const;

  const Graph& source;
  Graph graph;

 private:
  friend Graph rewrite(const Graph&, const std::function<void(GraphRewriter&, int)>&);
  void finish();
  std::map<int, std::vector<Var>> values_;  ///< by node of the source
  std::map<std::pair<int, int>, int> users_;
  std::set<int> live_;
};

/// Visits live nodes in order; `rule` calls replace() where it has something better; what it leaves
/// is copied.
Graph rewrite(const Graph& source, const std::function<void(GraphRewriter&, int node)>& rule);

/// Equal ops on equal inputs become one node.
Graph common_subexpressions(const Graph& graph);

struct Pass {
  std::string name;
  Graph (*run)(const Graph&) = nullptr;
};
/// Passes run in the order of their names' first number ("10 fuse activations").
void register_pass(const Pass& pass);
const std::vector<Pass>& passes();

/// Common subexpressions, every registered pass, common subexpressions; dead nodes are gone.
Graph optimise(const Graph& graph);

struct RegisterPass {
  explicit RegisterPass(const Pass& pass) { register_pass(pass); }
};

}  // namespace latent
