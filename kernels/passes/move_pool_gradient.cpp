// The gradient of an activation under a max pool is taken on the pool's small map, where it may become the epilogue of
// what comes before:
//   pool.gradient(g, y) f'(y)  ->  pool.gradient(g f'(pool(y)), y), since f' is a function of y alone
// Where f' is infinite at an element that the pool does not take, the product with its gradient of 0 is not made.
#include <map>

#include "core/graph/passes.h"
#include "kernels/functions.h"
#include "kernels/pool/max_pool.h"

namespace latent {
namespace {

/// The family that `op` is the gradient of, from outputs; nullptr where it is none.
const PointwiseFamily* family_of_output_gradient(const AnyOp& op) {
  for (const PointwiseFamily* family : pointwise_families())
    if (family->output_gradient && op == family->output_gradient) return family;
  return nullptr;
}

Graph move_pool_gradients(const Graph& graph) {
  std::map<std::pair<int, int>, int> pools;  // the pool of (node, output)
  return rewrite(graph, [&](GraphRewriter& r, int id) {
    const Node& node = r.source.nodes()[id];
    if (node.leaf()) return;
    if (node.op.as<MaxPool>()) pools[{node.inputs[0].node, node.inputs[0].output}] = id;
    const PointwiseFamily* family = family_of_output_gradient(node.op);
    if (!family) return;
    const auto [spread, y] = std::pair(node.inputs[0], node.inputs[1]);
    const Node& gradient = r.source.node(spread);
    if (gradient.leaf() || r.users(spread) != 1) return;
    const MaxPoolGrad* pool = gradient.op.as<MaxPoolGrad>();
    const auto found = pools.find({y.node, y.output});
    if (!pool || gradient.inputs[1] != y || found == pools.end()) return;
    const Node& pooled = r.source.nodes()[found->second];
    const Var g = r[gradient.inputs[0]], small = r.outputs(found->second)[0];
    if (!(pooled.op == AnyOp(MaxPool{pool->window})) || g.type() != small.type()) return;
    const Var under = r.graph.apply(family->output_gradient, {g, small})[0];
    r.replace(id, r.graph.apply(*pool, {under, r[y]}));
  });
}

const RegisterPass pass{
    {.name = "35 pool gradient behind the activation's", .run = move_pool_gradients}};

}  // namespace
}  // namespace latent
