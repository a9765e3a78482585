#include "core/graph/graph.h"

#include <algorithm>

namespace latent {

const Type& Var::type() const { return graph->nodes()[node].types[output]; }

GraphError op_error(std::string_view op, std::string_view why, Types types) {
  std::string text = cat(op, ": ", why);
  for (size_t i = 0; i < types.size(); ++i) text += (i ? ", " : "; got ") + to_string(types[i]);
  return GraphError(text);
}

Cost streaming_cost(const Signature& s, double flops_per_element) {
  Cost cost;
  for (const Type& t : s.in) cost.bytes += static_cast<double>(t.bytes());
  for (const Type& t : s.out) cost.bytes += static_cast<double>(t.bytes());
  cost.flops = s.out.empty() ? 0 : flops_per_element * static_cast<double>(s.out[0].elements());
  return cost;
}

Graph::Graph(Graph&& other) noexcept { *this = std::move(other); }

Graph& Graph::operator=(Graph&& other) noexcept {
  nodes_ = std::move(other.nodes_);
  variables_ = std::move(other.variables_);
  order_ = std::move(other.order_);
  leaves_ = std::move(other.leaves_);
  flats_ = std::move(other.flats_);
  assignments_ = std::move(other.assignments_);
  outputs_ = std::move(other.outputs_);
  label_ = std::move(other.label_);
  repoint();
  return *this;
}

void Graph::repoint() {
  for (Node& node : nodes_)
    for (Var& v : node.inputs) v.graph = this;
  for (auto& [leaf, value] : assignments_) leaf.graph = value.graph = this;
  for (auto& [name, v] : outputs_) v.graph = this;
}

Var Graph::variable(const Variable& spec) {
  if (auto found = leaves_.find(spec.name); found != leaves_.end()) {
    const Variable& old = variables_.at(spec.name);
    if (old.type != spec.type || old.group != spec.group)
      throw GraphError(cat("variable ", spec.name, ": is ", to_string(old.type), " of group '",
                           old.group, "', asked for as ", to_string(spec.type), " of group '",
                           spec.group, "'"));
    return {this, found->second, 0};
  }
  if (!spec.group.empty() && flats_.contains(spec.group))
    throw GraphError(cat("variable ", spec.name, ": group '", spec.group, "' is already complete"));
  const int id = static_cast<int>(nodes_.size());
  nodes_.push_back({.op = {},
                    .variable = spec.name,
                    .flat = {},
                    .inputs = {},
                    .types = {spec.type},
                    .label = spec.name});
  leaves_[spec.name] = id;
  variables_[spec.name] = spec;
  order_.push_back(spec.name);
  return {this, id, 0};
}

FlatLayout Graph::layout(const std::string& group) const {
  FlatLayout layout;
  for (const std::string& name : order_) {
    const Variable& v = variables_.at(name);
    if (v.group != group) continue;
    if (!layout.names.empty() && v.type.dtype != layout.dtype)
      throw GraphError(cat("group '", group, "': ", name, " has another dtype than the rest"));
    layout.dtype = v.type.dtype;
    layout.names.push_back(name);
    layout.offsets.push_back(layout.size);
    const int64_t a = FlatLayout::kAlign;
    layout.size += (v.type.elements() + a - 1) / a * a;
  }
  return layout;
}

Var Graph::flat(const std::string& group) {
  if (auto found = flats_.find(group); found != flats_.end()) return {this, found->second, 0};
  const FlatLayout l = layout(group);
  if (l.names.empty()) throw GraphError(cat("flat: no variable is in group '", group, "'"));
  const int id = static_cast<int>(nodes_.size());
  nodes_.push_back({.op = {},
                    .variable = {},
                    .flat = group,
                    .inputs = {},
                    .types = {Type{l.dtype, {l.size}}},
                    .label = group});
  flats_[group] = id;
  return {this, id, 0};
}

std::vector<Var> Graph::apply(const AnyOp& op, std::span<const Var> inputs) {
  std::vector<Type> in;
  for (const Var& v : inputs) {
    if (v.graph != this) throw GraphError(cat(op.name(), ": an input belongs to another graph"));
    in.push_back(v.type());
  }
  std::vector<Type> out = op.infer(in);
  const int id = static_cast<int>(nodes_.size());
  nodes_.push_back({.op = op,
                    .variable = {},
                    .flat = {},
                    .inputs = {inputs.begin(), inputs.end()},
                    .types = std::move(out),
                    .label = label_});
  std::vector<Var> result;
  for (size_t i = 0; i < nodes_[id].types.size(); ++i)
    result.push_back({this, id, static_cast<int>(i)});
  return result;
}

void Graph::assign(Var leaf, Var value) {
  const Node& node = nodes_.at(leaf.node);
  const std::string name = node.leaf() ? node.variable + node.flat : node.op.name();
  if (!node.leaf()) throw GraphError(cat("assign: ", name, " is not a variable"));
  if (leaf.type() != value.type())
    throw GraphError(cat("assign: ", name, " is ", to_string(leaf.type()), ", the value ",
                         to_string(value.type())));
  if (!node.variable.empty() && variables_.at(node.variable).role == Role::constant)
    throw GraphError(cat("assign: ", name, " is a constant"));
  if (std::ranges::any_of(assignments_, [&](const Assignment& a) { return a.leaf == leaf; }))
    throw GraphError(cat("assign: ", name, " is assigned twice in one step"));
  assignments_.push_back({leaf, value});
}

void Graph::output(const std::string& name, Var value) { outputs_.emplace_back(name, value); }

std::vector<Var> apply_all(const AnyOp& op, std::span<const Var> inputs) {
  if (inputs.empty()) throw GraphError(cat(op.name(), ": apply needs an input to know the graph"));
  return inputs.front().graph->apply(op, inputs);
}

Var apply(const AnyOp& op, std::span<const Var> inputs) {
  std::vector<Var> out = apply_all(op, inputs);
  if (out.size() != 1) throw GraphError(cat(op.name(), ": has ", out.size(), " outputs, not one"));
  return out.front();
}

Var apply(const AnyOp& op, std::initializer_list<Var> inputs) {
  return apply(op, std::span<const Var>(inputs.begin(), inputs.size()));
}

}  // namespace latent
