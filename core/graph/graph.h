// The graph: append-only, a node's id is its place, so ids are a topological order.
// Leaves are variables: named device memory that outlives the graph and is shared by name between
// graphs.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/graph/op.h"
#include "core/tensor/host_tensor.h"

namespace latent {

enum class Role {
  parameter,  ///< trained; in every weights file
  state,      ///< optimizer moments, counters, sums; in the state file
  constant,   ///< set from outside and never assigned: data, seed, shift, scale
};

/// Fills a new variable on the host.
using Init = std::function<void(HostTensor&)>;

struct Variable {
  std::string name;  ///< "encoder.0.weight"
  Type type;
  Role role = Role::state;
  Init init;          ///< zeros where empty
  std::string group;  ///< variables of one group lie in one flat buffer; "" has its own memory
};

/// Places of a group's members in its flat buffer: each begins at a multiple of 64 elements (256
/// bytes of f32), padding is zero.
struct FlatLayout {
  static constexpr int64_t kAlign = 64;
  std::vector<std::string> names;
  std::vector<int64_t> offsets;  ///< in elements
  int64_t size = 0;              ///< in elements
  DType dtype = DType::f32;
};

struct Node {
  AnyOp op;              ///< empty for a leaf
  std::string variable;  ///< a leaf: the variable's name
  std::string flat;      ///< a leaf: the group whose whole buffer it is
  std::vector<Var> inputs;
  std::vector<Type> types;  ///< one an output
  std::string label;        ///< where it came from: "encoder.0", "gradient", "optimizer"
  bool leaf() const { return !op; }
};

struct Assignment {
  Var leaf, value;
};

class Graph {
 public:
  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  Graph(Graph&& other) noexcept;
  Graph& operator=(Graph&& other) noexcept;

  /// The leaf of that name, made on first use; throws GraphError when it exists with another type.
  Var variable(const Variable& spec);
  /// The whole buffer of a group as one f32 (or f64) vector; no member can be added afterwards.
  Var flat(const std::string& group);
  FlatLayout layout(const std::string& group) const;

  /// Appends a node; throws GraphError (op, reason, types) when the op does not take these inputs.
  std::vector<Var> apply(const AnyOp& op, std::span<const Var> inputs);
  std::vector<Var> apply(const AnyOp& op, std::initializer_list<Var> inputs) {
    return apply(op, std::span<const Var>(inputs.begin(), inputs.size()));
  }

  /// At the end of a step: leaf <- value, after every read of the old value.
  void assign(Var leaf, Var value);
  /// A value to read after a run.
  void output(const std::string& name, Var value);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(Var v) const { return nodes_[v.node]; }
  const std::map<std::string, Variable>& variables() const { return variables_; }
  const std::vector<std::string>& variable_order() const { return order_; }
  const std::vector<Assignment>& assignments() const { return assignments_; }
  const std::vector<std::pair<std::string, Var>>& outputs() const { return outputs_; }

  /// Nodes made while a Scope lives carry its label.
  class Scope {
   public:
    Scope(Graph& graph, std::string label) : graph_(graph), before_(std::move(graph.label_)) {
      graph_.label_ = std::move(label);
    }
    ~Scope() { graph_.label_ = std::move(before_); }
    Scope(const Scope&) = delete;

   private:
    Graph& graph_;
    std::string before_;
  };

 private:
  friend struct GraphRewriter;
  void repoint();

  std::vector<Node> nodes_;
  std::map<std::string, Variable> variables_;
  std::vector<std::string> order_;  ///< names in the order declared
  std::map<std::string, int> leaves_, flats_;
  std::vector<Assignment> assignments_;
  std::vector<std::pair<std::string, Var>> outputs_;
  std::string label_;
};

/// The single output of an op: `Var y = apply(Scale{2}, {x})`.
Var apply(const AnyOp& op, std::initializer_list<Var> inputs);
Var apply(const AnyOp& op, std::span<const Var> inputs);
std::vector<Var> apply_all(const AnyOp& op, std::span<const Var> inputs);

}  // namespace latent
