// LinearBackwardWeight: the weight gradient with the bias gradient as its by-product.
#include <array>

#include "core/graph/samples.h"
#include "kernels/adding.h"
#include "kernels/matmul/linear.h"
#include "kernels/matmul/matmul.h"
#include "kernels/ops.h"

namespace latent {
namespace {

Type as_rows(const Type& t) {
  return {t.dtype, {t.dim(0) ? t.elements() / t.dim(0) : 0, t.dim(0)}};
}

/// dw as a product of g and x as matrices of rows; g is operand a, or b where w is [in, out].
Gemm weight_gemm(const Signature& s, bool trans_w) {
  const Type g = as_rows(s.in[0]), x = as_rows(s.in[1]);
  return make_gemm(trans_w ? g : x, trans_w ? x : g, true, false);
}

/// sums[begin, end) of the columns of g [rows, cols]: partial sums of kRows rows, added in order.
template <class T>
struct ColumnSums {
  static constexpr int64_t kRows = 128, kCols = 64;
  const T* g;
  T* sums;
  int64_t rows, cols, begin, end;

  LATENT_CPU_BODY void operator()(int64_t) const {
    for (int64_t col = begin; col < end; col += kCols) {
      const int64_t width = std::min(kCols, end - col);
      T total[kCols] = {};
      for (int64_t row = 0; row < rows; row += kRows) {
        T partial[kCols] = {};
        for (int64_t r = row; r < std::min(rows, row + kRows); ++r)
#pragma omp simd
          for (int64_t c = 0; c < width; ++c) partial[c] += g[r * cols + col + c];
#pragma omp simd
        for (int64_t c = 0; c < width; ++c) total[c] += partial[c];
      }
      for (int64_t c = 0; c < width; ++c) sums[col + c] = total[c];
    }
  }
};

template <class T, class After>
Kernel cpu_kernel(const Gemm& gemm, bool trans_w, Device& device) {
  const auto product = std::make_shared<const CpuGemm<T>>(gemm, false, device);
  const int64_t cols = trans_w ? gemm.m : gemm.n;
  const auto run = [product, trans_w, cols, gemm](const Args& args) {
    using Epilogue = typename After::template Epilogue<T>;
    const T *g = args.input<T>(0), *x = args.input<T>(1);
    T* const dw = args.output<T>(0);
    // The columns are shared out over the blocks, so that one team does all.
    const auto finish = [&, sums = ColumnSums<T>{g, args.output<T>(1), gemm.k, cols, 0, 0},
                         after =
                             EpilogueInPlace<Epilogue, T>{dw, Epilogue(args)}](const Block& block) {
      auto part = sums;
      part.begin = part.cols * block.index / block.count;
      part.end = part.cols * (block.index + 1) / block.count;
      cpu::run_tasks(1, 0, part);
      if constexpr (!After::kNothing)
        cpu::run_tasks(1, 0, EpilogueOfBlock<Epilogue, T>{after, block, gemm.m, gemm.n});
    };
    product->run(trans_w ? g : x, trans_w ? x : g, nullptr, dw, args.workspace, finish);
  };
  return {.run = run, .workspace = product->workspace()};
}

template <class After>
Kernel gpu_kernel(const Gemm& gemm, bool trans_w, Device& device) {
  std::shared_ptr<const LibraryProduct> library;
  if (!own_product(gemm))
    library = cublaslt_product(
        gemm, trans_w ? LibraryEpilogue::rows_of_a : LibraryEpilogue::cols_of_b, device);
  const auto run = [library, gemm, trans_w](const Args& args) {
    const float *g = args.input<float>(0), *x = args.input<float>(1);
    const float *a = trans_w ? g : x, *b = trans_w ? x : g;
    float *dw = args.output<float>(0), *db = args.output<float>(1);
    using Epilogue = typename After::template Epilogue<float>;
    if (library)
      return library->run(args.stream, a, b, db, what_is_added<After>(args), dw, args.workspace);
    if (trans_w)
      return tile_product<Epilogue, Sums::rows_of_a>(args.stream, gemm, a, b, nullptr, dw,
                                                     Epilogue(args), db);
    tile_product<Epilogue, Sums::cols_of_b>(args.stream, gemm, a, b, nullptr, dw, Epilogue(args),
                                            db);
  };
  return {.run = run, .workspace = library ? library->workspace() : 0};
}

}  // namespace

std::vector<Type> LinearBackwardWeight::infer(Types in) const {
  if (in.size() != (adds ? 3u : 2u))
    throw op_error(name, adds ? "takes g, x and what is added" : "takes g and x", in);
  const Type &g = in[0], &x = in[1];
  if (g.dtype != x.dtype || (g.dtype != DType::f32 && g.dtype != DType::f64))
    throw op_error(name, "both must be f32, or both f64", in);
  if (g.rank() < 2 || !std::equal(g.shape.begin(), g.shape.end() - 1, x.shape.begin(),
                                  x.shape.end() - (x.rank() > 0)))
    throw op_error(name, "leading axes differ", in);
  const int64_t out = g.dim(0), inner = x.dim(0);
  const Type dw{g.dtype, trans_w ? Shape{out, inner} : Shape{inner, out}};
  if (adds && in[2] != dw) throw op_error(name, cat("what is added must be ", to_string(dw)), in);
  return {dw, {g.dtype, {out}}};
}

Kernel LinearBackwardWeight::prepare(const Signature& s, Device& device) const {
  const Gemm gemm = weight_gemm(s, trans_w);
  const bool f64 = s.in[0].dtype == DType::f64;
  if (device.gpu() && f64)
    throw std::logic_error(cat(device.name(), ": f64 is computed on the CPU only"));
  const auto kernel = [&]<class After>(After) {
    if (device.gpu()) return gpu_kernel<After>(gemm, trans_w, device);
    return f64 ? cpu_kernel<double, After>(gemm, trans_w, device)
               : cpu_kernel<float, After>(gemm, trans_w, device);
  };
  return adds ? kernel(AddLast{}) : kernel(Nothing{});
}

std::vector<Var> LinearBackwardWeight::reference(std::span<const Var> in) const {
  const Var g = reshape(in[0], as_rows(in[0].type()).shape),
            x = reshape(in[1], as_rows(in[1].type()).shape);
  const Var dw = trans_w ? matmul(g, x, true, false) : matmul(x, g, true, false);
  return {adds ? dw + in[2] : dw, sum_cols(g)};
}

Cost LinearBackwardWeight::cost(const Signature& s) const {
  return product_cost(s, weight_gemm(s, trans_w), 1);
}

namespace {

std::vector<Sample> samples() {
  std::vector<Sample> all;
  auto add = [&](std::string name, bool trans_w, Shape g, Shape x, bool bench = false) {
    all.push_back({.name = cat("linear/weight_gradient/", name, trans_w ? "" : "/tied"),
                   .op = LinearBackwardWeight{trans_w},
                   .in = {{DType::f32, std::move(g)}, {DType::f32, std::move(x)}},
                   .order = bench ? 0 : 2,
                   .bench = bench});
    if (bench) return;
    Sample more = all.back();
    more.name += "/adds";
    more.in.push_back(more.op.infer(more.in)[0]);
    more.op = LinearBackwardWeight{trans_w, true};
    all.push_back(more);
  };
  for (const bool trans_w : {true, false}) {
    add("one", trans_w, {1, 1}, {1, 1});
    add("odd", trans_w, {33, 5}, {33, 19});
    add("rows", trans_w, {2, 3, 5}, {2, 3, 7});
    add("long", trans_w, {2000, 6}, {2000, 9});
    add("256x784x32", trans_w, {256, 32}, {256, 784}, true);
    add("256x32x784", trans_w, {256, 784}, {256, 32}, true);
  }
  return all;
}
const RegisterSamples registered{"matmul/weight_gradient", samples};
const RegisterAdding<LinearBackwardWeight> registered_adding;

}  // namespace
}  // namespace latent
