// What can read sparse rows as entries does so: the layer that they go into, the gradient of its weight, and the multinomial
// loss. Where nobody else reads them they are never written out.
#include "core/graph/passes.h"
#include "kernels/functions.h"
#include "kernels/loss/multinomial.h"
#include "kernels/matmul/matmul.h"
#include "kernels/sparse/csr.h"

namespace latent {
namespace {

/// The entries that v of the source writes out, in the new graph.
std::optional<CsrBatch> entries_of(const GraphRewriter& r, Var v) {
  std::optional<CsrBatch> x = csr_rows(v);
  if (!x) return std::nullopt;
  for (Var* part : {&x->ids, &x->starts, &x->columns, &x->values}) *part = r[*part];
  if (x->noise) x->seed = r[x->seed], x->step = r[x->step];
  return x;
}

bool read_by_layer(GraphRewriter& r, int id) {
  const Node& node = r.source.nodes()[id];
  const PointwiseFamily* plain = find_pointwise("linear");
  const bool trans_w = node.op == plain->linear;
  if (!trans_w && !(node.op == plain->linear_tied)) return false;
  const std::optional<CsrBatch> x = entries_of(r, node.inputs[0]);
  if (!x) return false;
  const Var y = csr_linear(*x, r[node.inputs[1]], trans_w);
  r.replace(id, {node.inputs.size() > 2 ? y + r[node.inputs[2]] : y});
  return true;
}

/// g^T x of a weight [out, in], or x^T g of one [in, out].
bool read_by_weight_gradient(GraphRewriter& r, int id) {
  const Node& node = r.source.nodes()[id];
  if (!(node.op == AnyOp(MatMul{.trans_a = true}))) return false;
  for (const size_t place : {1, 0}) {
    const Var x = node.inputs[place], g = node.inputs[1 - place];
    const std::optional<CsrBatch> entries = entries_of(r, x);
    if (!entries) continue;
    r.replace(id, {csr_weight_gradient(*entries, r[g], x.shape()[1], place == 1)});
    return true;
  }
  return false;
}

void read_by_loss(GraphRewriter& r, int id) {
  const Node& node = r.source.nodes()[id];
  const MultinomialOps array = multinomial_ops(), csr = csr_multinomial_ops();
  const bool gradient = node.op == array.gradient;
  const size_t logits = gradient ? 1 : 0, x = logits + 1;
  if ((!gradient && !(node.op == array.loss)) || node.inputs.size() != x + 1) return;
  const std::optional<CsrBatch> entries = entries_of(r, node.inputs[x]);
  // With several samples a row is compared with several predictions. Counts under noise are none.
  if (!entries || entries->noise || node.inputs[logits].shape() != node.inputs[x].shape()) return;
  std::vector<Var> in;
  for (size_t i = 0; i < x; ++i) in.push_back(r[node.inputs[i]]);
  in.insert(in.end(), {entries->ids, entries->starts, entries->columns, entries->values});
  r.replace(id, r.graph.apply(gradient ? csr.gradient : csr.loss, in));
}

Graph read_sparse_rows(const Graph& graph) {
  return rewrite(graph, [](GraphRewriter& r, int id) {
    if (!read_by_layer(r, id) && !read_by_weight_gradient(r, id)) read_by_loss(r, id);
  });
}

const RegisterPass pass{{.name = "05 sparse rows as entries", .run = read_sparse_rows}};

}  // namespace
}  // namespace latent
