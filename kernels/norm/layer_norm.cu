// Layer normalisation (Ba, Kiros and Hinton 2016), over the last axis, and its gradient.
//
// With mean and biased variance of a row, rstd = 1 / sqrt(var + eps), x^ = (x - mean) rstd:
//   y = weight x^ + bias
//   dx = rstd (a - mean(a) - x^ mean(a x^)), a = weight g;  dweight = sum g x^;  dbias = sum g
// The sums are of x - x[0]: a row's offset cancels before anything is squared.
#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/norm/norm.h"
#include "kernels/norm/reduce_map.h"
#include "kernels/ops.h"
#include "kernels/real.h"

namespace latent {
namespace {

template <class T>
struct RowMoments {
  T mean, rstd;
};

/// From sums of d = x - shift and of d^2.
template <class T>
LATENT_HD RowMoments<T> moments_of(T shift, T sum, T squares, T n, T eps) {
  const T mean = sum / n;
  const T var = math::max(squares / n - mean * mean, T(0));
  return {shift + mean, math::rsqrt(var + eps)};
}

template <class T>
struct LayerNormBody {
  const T *x, *weight, *bias;
  T* y;
  int64_t cols;
  T eps;

  LATENT_HD Sums<T, 2> term(int64_t r, int64_t c) const {
    const T d = x[r * cols + c] - x[r * cols];
    return {{d, d * d}};
  }
  LATENT_HD RowMoments<T> finish(int64_t r, const Sums<T, 2>& a) const {
    return moments_of(x[r * cols], a.v[0], a.v[1], T(cols), eps);
  }
  LATENT_HD void keep(int64_t, const RowMoments<T>&) const {}
  LATENT_HD void map(int64_t r, int64_t c, const RowMoments<T>& m) const {
    y[r * cols + c] = math::fma((x[r * cols + c] - m.mean) * m.rstd, weight[c], bias[c]);
  }
};

/// Row r of g belongs to row r % rows of x.
template <class T>
struct LayerNormGradientBody {
  const T *g, *x, *weight;
  T* dx;
  RowMoments<T>* moments;  // [rows], for the gradients of weight and bias
  int64_t rows, cols;
  T eps;

  struct Numbers {
    RowMoments<T> m;
    T mean_a, mean_ax;
  };
  LATENT_HD Sums<T, 4> term(int64_t r, int64_t c) const {
    const T* row = x + r % rows * cols;
    const T d = row[c] - row[0], a = weight[c] * g[r * cols + c];
    return {{d, d * d, a, a * d}};
  }
  LATENT_HD Numbers finish(int64_t r, const Sums<T, 4>& s) const {
    const T n = T(cols), shift = x[r % rows * cols];
    const RowMoments<T> m = moments_of(shift, s.v[0], s.v[1], n, eps);
    // x^ = (d + shift - mean) rstd
    return {m, s.v[2] / n, m.rstd * ((s.v[3] + (shift - m.mean) * s.v[2]) / n)};
  }
  LATENT_HD void keep(int64_t r, const Numbers& v) const {
    if (r < rows) moments[r] = v.m;
  }
  LATENT_HD void map(int64_t r, int64_t c, const Numbers& v) const {
    const T hat = (x[r % rows * cols + c] - v.m.mean) * v.m.rstd;
    const T a = weight[c] * g[r * cols + c];
    dx[r * cols + c] = v.m.rstd * (a - v.mean_a - hat * v.mean_ax);
  }
};

/// Column k cols + c of the sums is column c of the k-th batch of g.
template <class T, bool kBatched>
struct WeightGradientTerm {
  const T *g, *x;
  const RowMoments<T>* moments;
  int64_t rows, cols;
  LATENT_HD Sums<T, 2> operator()(int64_t r, int64_t column) const {
    const int64_t k = kBatched ? column / cols : 0, c = kBatched ? column % cols : column;
    const T value = g[(k * rows + r) * cols + c];
    return {{value, value * ((x[r * cols + c] - moments[r].mean) * moments[r].rstd)}};
  }
};
template <class T>
struct StoreWeightGradient {
  T *dweight, *dbias;
  LATENT_HD void operator()(int64_t column, const Sums<T, 2>& s) const {
    dbias[column] = s.v[0];
    dweight[column] = s.v[1];
  }
};

struct LayerNormGradient {
  static constexpr const char* name = "layer_norm.gradient";
  double eps = 1e-5;

  /// (g [..., x...], x, weight) -> dx as g, dweight and dbias [..., d]
  std::vector<Type> infer(Types in) const {
    require_reals(name, in, 3);
    require_norm_types(name, in.subspan(1), 1);
    const Type vector{in[0].dtype, with_lead(leading_axes(name, in, in[0], in[1]), in[1].dim(0))};
    return {in[0], vector, vector};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const NormShape n = norm_shape(s.in[0], s.in[1]);
    return real_kernel(
        s.in[0].dtype, [n, eps = eps](const Args& a, auto real) { run(a, n, decltype(real)(eps)); },
        s.in[0].dtype == DType::f64 ? workspace<double>(n) : workspace<float>(n));
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Var g = in[0], x = in[1];
    const int rank = x.type().rank();
    const double n = static_cast<double>(x.type().dim(0));
    const auto row_mean = [n](Var v) { return sum_axes(v, std::vector{0}, true) * (1 / n); };
    const Var centred = x - row_mean(x);
    const Var rstd = reciprocal(sqrt(row_mean(square(centred)) + eps));
    const Var hat = centred * rstd, a = g * in[2];
    return {rstd * (a - row_mean(a) - hat * row_mean(a * hat)), sum_norm_rows(g * hat, rank, false),
            sum_norm_rows(g, rank, false)};
  }
  Cost cost(const Signature& s) const {
    Cost cost = streaming_cost(s, 22);
    cost.launches = 1 + reduce_cols_launches(norm_shape(s.in[1]).rows);
    return cost;
  }
  bool operator==(const LayerNormGradient&) const = default;

 private:
  template <class T>
  static size_t moments_bytes(const NormShape& n) {
    return static_cast<size_t>((n.rows + 1) / 2 * 2) * sizeof(RowMoments<T>);
  }
  template <class T>
  static size_t workspace(const NormShape& n) {
    return moments_bytes<T>(n) + reduce_cols_workspace<Sums<T, 2>>(n.rows, n.batch * n.cols);
  }
  template <class T>
  static void run(const Args& args, const NormShape& n, T eps) {
    const T *g = args.input<T>(0), *x = args.input<T>(1);
    auto* moments = static_cast<RowMoments<T>*>(args.workspace);
    void* sums = static_cast<std::byte*>(args.workspace) + moments_bytes<T>(n);
    reduce_map_rows(args.stream, n.batch * n.rows, n.cols,
                    LayerNormGradientBody<T>{g, x, args.input<T>(2), args.output<T>(0), moments,
                                             n.rows, n.cols, eps});
    const StoreWeightGradient<T> store{args.output<T>(1), args.output<T>(2)};
    if (n.batch == 1)
      reduce_cols(args.stream, n.rows, n.cols, SumEach{},
                  WeightGradientTerm<T, false>{g, x, moments, n.rows, n.cols}, store, sums);
    else
      reduce_cols(args.stream, n.rows, n.batch * n.cols, SumEach{},
                  WeightGradientTerm<T, true>{g, x, moments, n.rows, n.cols}, store, sums);
  }
};

struct LayerNorm {
  static constexpr const char* name = "layer_norm";
  double eps = 1e-5;

  /// (x [..., d], weight [d], bias [d]) -> as x
  std::vector<Type> infer(Types in) const {
    require_norm_types(name, in, 2);
    return {in[0]};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const NormShape n = norm_shape(s.in[0]);
    return real_kernel(s.in[0].dtype, [n, eps = eps](const Args& a, auto real) {
      using T = decltype(real);
      reduce_map_rows(a.stream, n.rows, n.cols,
                      LayerNormBody<T>{a.input<T>(0), a.input<T>(1), a.input<T>(2), a.output<T>(0),
                                       n.cols, T(eps)});
    });
  }
  std::vector<Var> vjp(const Pullback& p) const {
    return apply_all(LayerNormGradient{eps}, std::vector{p.cotangents[0], p.in[0], p.in[1]});
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const double n = static_cast<double>(in[0].type().dim(0));
    const auto row_mean = [n](Var v) { return sum_axes(v, std::vector{0}, true) * (1 / n); };
    const Var centred = in[0] - row_mean(in[0]);
    const Var rstd = reciprocal(sqrt(row_mean(square(centred)) + eps));
    return {centred * rstd * in[1] + in[2]};
  }
  Cost cost(const Signature& s) const { return streaming_cost(s, 10); }
  bool operator==(const LayerNorm&) const = default;
};

const RegisterSamples samples{
    "norm/layer_norm", [] {
      std::vector<Sample> all;
      const auto add = [&](const Shape& shape, bool bench = false) {
        const Type x{DType::f32, shape}, vector{DType::f32, {shape.back()}};
        all.push_back({.name = cat("layer_norm/", to_string(shape)),
                       .op = LayerNorm{},
                       .in = {x, vector, vector},
                       .range = {{2, 4}},
                       .bench = bench});
        all.push_back({.name = cat("layer_norm/gradient/", to_string(shape)),
                       .op = LayerNormGradient{},
                       .in = {x, x, vector},
                       .range = {{-1, 1}, {2, 4}},
                       .bench = bench});
      };
      add({1, 37});
      add({37, 3});
      add({5, 1100});
      add({1100, 5});
      add({3, 5, 7});
      add({256, 512}, true);
      const Type x{DType::f32, {3, 5, 7}};
      all.push_back({.name = "layer_norm/gradient/batched",
                     .op = LayerNormGradient{},
                     .in = {{DType::f32, {2, 3, 5, 7}}, x, {DType::f32, {7}}},
                     .range = {{-1, 1}, {2, 4}}});
      return all;
    }};

}  // namespace

Var layer_norm(Var x, Var weight, Var bias, double eps) {
  return apply(LayerNorm{eps}, {x, weight, bias});
}

}  // namespace latent
