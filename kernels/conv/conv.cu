// Conv: both directions, and their gradients.
#include "kernels/conv/conv.h"

#include "core/graph/samples.h"
#include "kernels/conv/kernel.h"
#include "kernels/conv/samples.h"
#include "kernels/ops.h"

namespace latent {
namespace {

/// Leading axes behind the first `batch_axes` as one axis of rows.
Var fold_rows(Var v, int batch_axes) {
  const Shape& from = v.shape();
  Shape shape(from.begin(), from.begin() + batch_axes);
  int64_t rows = 1;
  for (size_t axis = batch_axes; axis + 3 < from.size(); ++axis) rows *= from[axis];
  shape.push_back(rows);
  shape.insert(shape.end(), from.end() - 3, from.end());
  return reshape(v, shape);
}

}  // namespace

Cost conv_cost(const Signature& s, const ConvProblem& problem, int launches) {
  Cost cost{.flops = problem.flops(), .launches = launches};
  for (const Type& t : s.in) cost.bytes += static_cast<double>(t.bytes());
  for (const Type& t : s.out) cost.bytes += static_cast<double>(t.bytes());
  return cost;
}

std::vector<Type> Conv::infer(Types in) const {
  if (in.size() != 2) throw op_error(name, "takes a map and a weight", in);
  return {conv_type(name, in, window, pass())};
}

Kernel Conv::prepare(const Signature& s, Device& device) const {
  return conv_kernel<Nothing>(s.in[0].dtype, conv_problem(s.in, window, pass()), pass(), false,
                              device);
}

Cost Conv::cost(const Signature& s) const {
  return conv_cost(s, conv_problem(s.in, window, pass()), 1);
}

std::vector<Var> Conv::vjp(const Pullback& p) const {
  const Var x = p.in[0], w = p.in[1], g = p.cotangents[0];
  std::vector<Var> result(2);
  if (p.needs[0]) result[0] = apply(Conv{window, !transposed}, {g, w});
  if (!p.needs[1]) return result;
  // One weight against many rows: their axes belong into the sum, not into a batch that is summed afterwards.
  const bool fold = w.type().rank() == 4;
  const Var rows = fold ? fold_rows(x, 0) : x, of_rows = fold ? fold_rows(g, p.batch_axes) : g;
  result[1] = transposed ? apply(ConvWeight{window}, {of_rows, rows})
                         : apply(ConvWeight{window}, {rows, of_rows});
  return result;
}

Var conv(Var x, Var w, const Window& window) { return apply(Conv{window, false}, {x, w}); }
Var conv_transposed(Var x, Var w, const Window& window) {
  return apply(Conv{window, true}, {x, w});
}

namespace {

std::vector<Sample> samples() {
  std::vector<Sample> all;
  for (const ConvCase& c : conv_cases()) {
    for (const bool transposed : {false, true})
      all.push_back({.name = cat("conv/", transposed ? "transposed/" : "forward/", c.name),
                     .op = Conv{c.window, transposed},
                     .in = {transposed ? c.small() : c.large(), c.weight()},
                     .order = c.bench ? 0 : 2,
                     .bench = c.bench});
  }
  const ConvCase odd = conv_cases()[1];
  auto with = [](Type t, Shape axes) {
    t.shape.insert(t.shape.begin(), axes.begin(), axes.end());
    return t;
  };
  auto add = [&](std::string name, Shape of_map, Shape of_weight) {
    all.push_back({.name = cat("conv/forward/", name),
                   .op = Conv{odd.window, false},
                   .in = {with(odd.large(), of_map), with(odd.weight(), of_weight)}});
    all.push_back({.name = cat("conv/transposed/", name),
                   .op = Conv{odd.window, true},
                   .in = {with(odd.small(), of_map), with(odd.weight(), of_weight)}});
  };
  add("rows", {2, 1}, {});
  add("batch", {2}, {2});
  add("broadcast", {}, {3});
  return all;
}
const RegisterSamples registered{"conv/conv", samples};

}  // namespace
}  // namespace latent
