// Arithmetic on constants is done here, not on the device: what is left of a gradient's seed is one number.
#include <algorithm>

#include "core/graph/passes.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

/// The value of a Fill node, or nullptr.
const Fill* constant(const Var& v) {
  return v.graph->node(v).op ? v.graph->node(v).op.as<Fill>() : nullptr;
}

Var filled(GraphRewriter& r, double value, const Type& type) {
  return r.graph.apply(Fill{.value = value, .type = type}, {})[0];
}

/// op(x, c) as an affine function of x: {a, b}, where op has one.
bool as_affine(const AnyOp& op, bool constant_first, double c, Affine& out) {
  if (op.as<Add>()) return out = {1, c}, true;
  if (op.as<Mul>()) return out = {c, 0}, true;
  if (op.as<Sub>()) return out = constant_first ? Affine{-1, c} : Affine{1, -c}, true;
  if (op.as<Div>() && !constant_first) return out = {1 / c, 0}, true;
  return false;
}

void fold(GraphRewriter& r, int id) {
  const Node& node = r.source.nodes()[id];
  const Type& type = node.types[0];
  if (node.inputs.empty() || (type.dtype != DType::f32 && type.dtype != DType::f64)) return;
  const Var first = r[node.inputs[0]];
  const Fill* c = constant(first);
  if (const Affine* affine = node.op.as<Affine>()) {
    if (c) return r.replace(id, {filled(r, affine->a * c->value + affine->b, type)});
    if (*affine == Affine{}) return r.replace(id, {first});
    return;
  }
  if (c && (node.op.as<BroadcastTo>() || node.op.as<Reshape>()))
    return r.replace(id, {filled(r, c->value, type)});
  if (c && node.op.as<ReduceSum>()) {
    const double n = static_cast<double>(first.type().elements()) / type.elements();
    return r.replace(id, {filled(r, n * c->value, type)});
  }
  if (node.inputs.size() != 2) return;
  const Var second = r[node.inputs[1]];
  const Fill* d = constant(second);
  const Var other = c ? second : first;
  Affine affine;
  if ((!c && !d) || other.type() != type || !as_affine(node.op, c, c ? c->value : d->value, affine))
    return;
  if (c && d) return r.replace(id, {filled(r, affine.a * d->value + affine.b, type)});
  r.replace(id, affine == Affine{} ? std::vector{other} : r.graph.apply(affine, {other}));
}

Graph fold_constants(const Graph& graph) { return rewrite(graph, fold); }

const RegisterPass pass{{.name = "10 fold constants", .run = fold_constants}};

}  // namespace
}  // namespace latent
