// A layer's weight gradient brings its bias gradient along: the product g^T x reads g anyway, so its column sums cost no
// launch. So does that of a convolution.
#include "core/graph/passes.h"
#include "kernels/conv/conv.h"
#include "kernels/matmul/matmul.h"
#include "kernels/ops.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

/// A sum over all axes but the last of a matrix, or of a map.
bool sums_columns(const Node& node) {
  const ReduceSum* sum = node.op ? node.op.as<ReduceSum>() : nullptr;
  if (!sum) return false;
  const int rank = node.inputs[0].type().rank();
  return rank == 2   ? sum->axes == std::vector<int>{1}
         : rank == 4 ? sum->axes == std::vector<int>{1, 2, 3}
                     : false;
}

/// A transposed product of two matrices, as the gradient of a weight is, or that of a convolution's weight.
bool is_weight_gradient(const Node& node) {
  if (node.op && node.op.as<ConvWeight>())
    return node.inputs[0].type().rank() == 4 && node.inputs[1].type().rank() == 4;
  const MatMul* product = node.op ? node.op.as<MatMul>() : nullptr;
  return product && product->trans_a && !product->trans_b && node.inputs[0].type().rank() == 2 &&
         node.inputs[1].type().rank() == 2;
}

/// Puts one node in the place of both, unless one of them has been visited or x is not there yet.
bool fuse(GraphRewriter& r, int product, int sums) {
  if (r.visited(product) || r.visited(sums)) return false;
  const Node& node = r.source.nodes()[product];
  const Var g = r.source.nodes()[sums].inputs[0];
  const ConvWeight* conv = node.op.as<ConvWeight>();
  if (conv && node.inputs[1] != g) return false;  // its by-product are the small map's sums
  const bool trans_w = node.inputs[0] == g;       // g^T x of w [out, in], x^T g of w [in, out]
  const Var x = node.inputs[trans_w && !conv ? 1 : 0];
  if (!r[g] || !r[x]) return false;
  const std::vector<Var> out =
      conv ? r.graph.apply(ConvBackwardWeight{conv->window}, {r[x], r[g]})
           : r.graph.apply(LinearBackwardWeight{.trans_w = trans_w}, {r[g], r[x]});
  r.replace(product, {out[0]});
  r.replace(sums, {reshape(out[1], r.source.nodes()[sums].types[0].shape)});
  return true;
}

Graph fuse_weight_gradients(const Graph& graph) {
  return rewrite(graph, [](GraphRewriter& r, int id) {
    const auto& nodes = r.source.nodes();
    const bool sums = sums_columns(nodes[id]), product = is_weight_gradient(nodes[id]);
    if (!sums && !product) return;
    for (int other = id + 1; other < static_cast<int>(nodes.size()); ++other) {
      const bool pair = sums ? is_weight_gradient(nodes[other]) : sums_columns(nodes[other]);
      if (!pair || !r.live(other)) continue;
      const Var g = nodes[sums ? id : other].inputs[0];
      const Node& p = nodes[sums ? other : id];
      if ((p.inputs[0] == g || p.inputs[1] == g) && fuse(r, sums ? other : id, sums ? id : other))
        return;
    }
  });
}

const RegisterPass pass{
    {.name = "60 bias gradient into weight gradient", .run = fuse_weight_gradients}};

}  // namespace
}  // namespace latent
