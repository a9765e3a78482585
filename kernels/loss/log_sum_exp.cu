// log sum exp over the last axis, and its gradient, the softmax.
#include "kernels/loss/log_sum_exp.h"

#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/skeleton/reduce_rows.h"

namespace latent {
namespace {

Shape with_column(Shape shape) {
  shape.push_back(1);
  return shape;
}

template <class T>
struct ElementOfRow {
  const T* x;
  int64_t cols;
  LATENT_HD ScaledSum<T> operator()(int64_t r, int64_t c) const { return {x[r * cols + c], T(1)}; }
};

template <class T>
struct StoreLog {
  T* out;
  LATENT_HD void operator()(int64_t r, ScaledSum<T> sum) const { out[r] = sum.log(); }
};

template <class T>
struct SoftmaxBody {
  const T *g, *x, *y;
  T* out;
  int64_t rows, cols;  ///< of x; g has a multiple of the rows
  LATENT_HD void operator()(int64_t r, int64_t c) const {
    const int64_t from = r % rows;
    out[r * cols + c] = g[r] * math::exp(x[from * cols + c] - y[from]);
  }
};

/// (g [..., X], x [X, n], y [X]) -> g exp(x - y): where y = log_sum_exp(x), g times the softmax.
struct SoftmaxTimes {
  static constexpr const char* name = "log_sum_exp.gradient";
  std::vector<Type> infer(Types in) const {
    require_reals(name, in, 3);
    const Shape &g = in[0].shape, &x = in[1].shape, &y = in[2].shape;
    if (x.empty() || y != Shape(x.begin(), x.end() - 1) || g.size() < y.size() ||
        !std::equal(y.rbegin(), y.rend(), g.rbegin()))
      throw op_error(name, "takes g [..., X], x [X, n], y [X]", in);
    Type out = in[0];
    out.shape.push_back(x.back());
    return {out};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const int64_t rows = s.in[2].elements(), out_rows = s.in[0].elements();
    return real_kernel(
        s.in[0].dtype, [rows, out_rows, n = s.in[1].dim(0)](const Args& a, auto real) {
          using T = decltype(real);
          for_each_row(
              a.stream, out_rows, n,
              SoftmaxBody<T>{a.input<T>(0), a.input<T>(1), a.input<T>(2), a.output<T>(0), rows, n});
        });
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Var g = in[0], x = in[1], y = in[2];
    return {reshape(g, with_column(g.shape())) * exp(x - reshape(y, with_column(y.shape())))};
  }
  int overwrites(int) const { return 1; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 12); }
  bool operator==(const SoftmaxTimes&) const = default;
};

struct LogSumExp {
  static constexpr const char* name = "log_sum_exp";
  std::vector<Type> infer(Types in) const {
    require_reals(name, in, 1);
    if (in[0].rank() == 0 || in[0].dim(0) == 0) throw op_error(name, "takes [..., n], n > 0", in);
    Type out = in[0];
    out.shape.pop_back();
    return {out};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const int64_t rows = s.out[0].elements(), cols = s.in[0].dim(0);
    return real_kernel(s.in[0].dtype, [rows, cols](const Args& a, auto real) {
      using T = decltype(real);
      reduce_rows(a.stream, rows, cols, LogSumExpMonoid{}, ElementOfRow<T>{a.input<T>(0), cols},
                  StoreLog<T>{a.output<T>(0)});
    });
  }
  std::vector<Var> vjp(const Pullback& p) const {
    return {apply(SoftmaxTimes{}, {p.cotangents[0], p.in[0], p.out[0]})};
  }
  /// The kernel takes the largest value out first, so that nothing overflows.
  std::vector<Var> reference(std::span<const Var> in) const {
    return {log(sum_axes(exp(in[0]), std::vector{0}, false))};
  }
  Cost cost(const Signature& s) const {
    return streaming_cost(s, 16 * static_cast<double>(s.in[0].dim(0)));
  }
  bool operator==(const LogSumExp&) const = default;
};

const RegisterSamples samples{
    "loss/log_sum_exp", [] {
      std::vector<Sample> all;
      auto add = [&](std::string label, Shape shape, bool bench = false) {
        const Type x{DType::f32, shape}, y{DType::f32, {shape.begin(), shape.end() - 1}};
        all.push_back({.name = cat("log_sum_exp/", label),
                       .op = LogSumExp{},
                       .in = {x},
                       .range = {{-6, 6}},
                       .bench = bench});
        all.push_back({.name = cat("log_sum_exp/gradient/", label),
                       .op = SoftmaxTimes{},
                       .in = {y, x, y},
                       .range = {{-1, 1}, {-3, 3}, {0, 4}},
                       .bench = bench});
      };
      add("37", {37});
      add("1x37", {1, 37});
      add("37x1", {37, 1});
      add("3x1100", {3, 1100});
      add("3x5x7", {3, 5, 7});
      add("256x5000", {256, 5000}, true);
      const Type x{DType::f32, {3, 7}}, y{DType::f32, {3}}, g{DType::f32, {2, 3}};
      all.push_back({.name = "log_sum_exp/gradient/batched",
                     .op = SoftmaxTimes{},
                     .in = {g, x, y},
                     .range = {{-1, 1}, {-3, 3}, {0, 4}}});
      return all;
    }};

}  // namespace

Var log_sum_exp(Var x) { return apply(LogSumExp{}, {x}); }

}  // namespace latent
