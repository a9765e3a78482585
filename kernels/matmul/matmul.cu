#include "kernels/matmul/matmul.h"

#include <array>

#include "core/graph/samples.h"
#include "kernels/adding.h"
#include "kernels/matmul/product.h"
#include "kernels/ops.h"

namespace latent {
namespace {

/// All axes but the last two, behind the first `batch_axes`, folded into the rows.
Var fold_rows(Var v, int batch_axes) {
  Shape shape(v.shape().begin(), v.shape().begin() + batch_axes);
  int64_t rows = 1;
  for (int axis = batch_axes; axis + 1 < v.type().rank(); ++axis) rows *= v.shape()[axis];
  shape.push_back(rows);
  shape.push_back(v.shape().back());
  return shape == v.shape() ? v : reshape(v, shape);
}

}  // namespace

Cost product_cost(const Signature& s, const Gemm& gemm, int launches) {
  Cost cost{.flops = gemm.flops(), .launches = launches};
  for (const Type& t : s.in) cost.bytes += static_cast<double>(t.bytes());
  for (const Type& t : s.out) cost.bytes += static_cast<double>(t.bytes());
  return cost;
}

std::vector<Type> MatMul::infer(Types in) const {
  if (in.size() != (adds ? 3u : 2u))
    throw op_error(name, adds ? "takes three inputs" : "takes two inputs", in);
  const Type out = matmul_type(name, in.first(2), trans_a, trans_b);
  if (adds && in[2] != out) throw op_error(name, cat("what is added must be ", to_string(out)), in);
  return {out};
}

Kernel MatMul::prepare(const Signature& s, Device& device) const {
  const Gemm gemm = make_gemm(s.in[0], s.in[1], trans_a, trans_b);
  return adds ? product_kernel<AddLast>(s.in[0].dtype, gemm, false, device)
              : product_kernel<Nothing>(s.in[0].dtype, gemm, false, device);
}

Cost MatMul::cost(const Signature& s) const {
  return product_cost(s, make_gemm(s.in[0], s.in[1], trans_a, trans_b), 1);
}

std::vector<Var> MatMul::vjp(const Pullback& p) const {
  const Var a = p.in[0], b = p.in[1], g = p.cotangents[0];
  std::vector<Var> result(p.in.size());
  if (adds) result[2] = g;
  if (p.needs[0]) result[0] = trans_a ? matmul(b, g, trans_b, true) : matmul(g, b, false, !trans_b);
  if (!p.needs[1]) return result;
  // One matrix b against many rows: their axes belong into the sum, not into a batch that is summed afterwards.
  const bool fold = b.type().rank() == 2 && !trans_a;
  const Var rows = fold ? fold_rows(a, 0) : a, of_rows = fold ? fold_rows(g, p.batch_axes) : g;
  result[1] =
      trans_b ? matmul(of_rows, rows, true, trans_a) : matmul(rows, of_rows, !trans_a, false);
  return result;
}

Var matmul(Var a, Var b, bool trans_a, bool trans_b) {
  return apply(MatMul{trans_a, trans_b}, {a, b});
}

namespace {

Sample sample(std::string name, bool trans_a, bool trans_b, Shape a, Shape b, bool bench = false) {
  return {.name = cat("matmul/", name, "/", trans_a ? "t" : "n", trans_b ? "t" : "n"),
          .op = MatMul{trans_a, trans_b},
          .in = {{DType::f32, std::move(a)}, {DType::f32, std::move(b)}},
          .bench = bench};
}

/// The same, with a third input.
Sample adding(Sample s) {
  s.name += "/adds";
  s.in.push_back(s.op.infer(s.in)[0]);
  MatMul op = *s.op.as<MatMul>();
  op.adds = true;
  s.op = op;
  return s;
}

std::vector<Sample> samples() {
  std::vector<Sample> all;
  for (const auto& [m, n, k] :
       {std::array<int64_t, 3>{1, 1, 1}, {1, 37, 5}, {37, 1, 5}, {5, 3, 1}, {33, 17, 130}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true})
        all.push_back(sample(cat(m, "x", k, "x", n), ta, tb, ta ? Shape{k, m} : Shape{m, k},
                             tb ? Shape{n, k} : Shape{k, n}));
  all.push_back(sample("rows", false, true, {2, 3, 5}, {7, 5}));
  all.push_back(sample("rows", true, false, {2, 5, 3}, {5, 7}));
  all.push_back(sample("batch", false, false, {3, 4, 5}, {3, 5, 2}));
  all.push_back(sample("batch", true, true, {3, 5, 4}, {3, 2, 5}));
  all.push_back(sample("broadcast", false, true, {4, 5}, {3, 2, 5}));
  all.push_back(sample("broadcast", true, false, {2, 1, 5, 4}, {3, 5, 2}));
  all.push_back(sample("long", true, false, {2000, 9}, {2000, 6}));
  all.push_back(adding(sample("33x130x17", false, true, {33, 130}, {17, 130})));
  all.push_back(adding(sample("long", true, false, {2000, 9}, {2000, 6})));
  all.push_back(adding(sample("broadcast", false, true, {4, 5}, {3, 2, 5})));
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{784, 32}, {32, 784}, {250, 500}}) {
    all.push_back(
        sample(cat("forward/256x", in, "x", out), false, true, {256, in}, {out, in}, true));
    all.push_back(sample(cat("input_gradient/256x", out, "x", in), false, false, {256, out},
                         {out, in}, true));
    all.push_back(sample(cat("weight_gradient/", out, "x256x", in), true, false, {256, out},
                         {256, in}, true));
  }
  return all;
}
const RegisterSamples registered{"matmul/matmul", samples};
const RegisterAdding<MatMul> registered_adding;

}  // namespace
}  // namespace latent
