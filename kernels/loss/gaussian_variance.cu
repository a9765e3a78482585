// Negative log-likelihood of a Gaussian whose log-variance s is learned: 1/2 (log 2 pi + s + (x - mu)^2 exp(-s)).
//
// Pairs:  o [rows, X..., 2] holds mu and s of each element side by side
// Shared: o [rows, X...] is mu, and one s [1] serves all elements

#include "core/graph/samples.h"
#include "kernels/loss/rows.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/skeleton/reduce_rows.h"

namespace latent {
namespace {

constexpr double kLog2Pi = 1.8378770664093454836;

enum class Variance { pairs, shared };

/// The inputs of a loss (o, x[, s][, w]) and their types, behind `first` others.
template <Variance V>
struct Places {
  static constexpr int values = V == Variance::pairs ? 2 : 1, w = V == Variance::pairs ? 2 : 3;

  static LossRows rows_of(std::string_view name, Types in, size_t first) {
    const bool weights = in.size() == first + w + 1;
    require_reals(name, in, first + w + weights);
    if (V == Variance::shared && in[first + 2].shape != Shape{1})
      throw op_error(name, "the log-variance must be [1]", in);
    return loss_rows(name, in, in[first], in[first + 1], weights ? &in[first + w] : nullptr,
                     values);
  }
};

/// An element: r = mu - x, exp(-s), s.
template <class T>
struct Point {
  T r, precision, logvar;
  LATENT_HD T loss() const { return T(0.5) * (math::fma(r * r, precision, logvar) + T(kLog2Pi)); }
  LATENT_HD T by_mu() const { return r * precision; }
  LATENT_HD T by_logvar() const { return T(0.5) * (T(1) - r * r * precision); }
};

template <class T, Variance V, bool kWeighted>
struct Points {
  const T *o, *x, *s, *w;
  int64_t cols;
  TargetRow target;

  LATENT_HD Point<T> operator()(int64_t r, int64_t c) const {
    const int64_t at = r * cols + c;
    const T mu = V == Variance::pairs ? o[2 * at] : o[at];
    const T logvar = V == Variance::pairs ? o[2 * at + 1] : s[0];
    return {mu - x[target(r) * cols + c], math::exp(-logvar), logvar};
  }
  LATENT_HD T by_weight(T v, int64_t r, int64_t c) const {
    if constexpr (kWeighted) return weighted(w[target(r) * cols + c], v);
    return v;
  }
};
template <class T, Variance V, bool kWeighted>
Points<T, V, kWeighted> points(const Args& a, int first, const LossRows& l) {
  return {a.input<T>(first),
          a.input<T>(first + 1),
          V == Variance::shared ? a.input<T>(first + 2) : nullptr,
          kWeighted ? a.input<T>(first + Places<V>::w) : nullptr,
          l.cols,
          TargetRow(l.samples)};
}

template <class T, Variance V, bool kWeighted>
struct NllBody {
  Points<T, V, kWeighted> points;
  LATENT_HD T operator()(int64_t r, int64_t c) const {
    return points.by_weight(points(r, c).loss(), r, c);
  }
};

template <class T, Variance V>
LATENT_HD void store_gradient(T* out, int64_t at, T by_mu, T by_logvar) {
  if constexpr (V == Variance::pairs) {
    out[2 * at] = by_mu;
    out[2 * at + 1] = by_logvar;
  } else {
    out[at] = by_mu;
  }
}

template <class T, Variance V, bool kWeighted>
struct NllWithGradientBody {
  Points<T, V, kWeighted> points;
  T* out;
  T scale;
  LATENT_HD T operator()(int64_t r, int64_t c) const {
    const Point<T> p = points(r, c);
    const T by_mu = points.by_weight(p.by_mu(), r, c);
    const T by_logvar = points.by_weight(p.by_logvar(), r, c);
    const T loss = points.by_weight(p.loss(), r, c);
    store_gradient<T, V>(out, r * points.cols + c, scale * by_mu, scale * by_logvar);
    return loss;
  }
};

template <class T, Variance V, bool kWeighted>
struct NllGradientBody {
  Points<T, V, kWeighted> points;
  const T* h;
  T* out;
  int64_t rows;  ///< of o; h has a multiple of them
  LATENT_HD void operator()(int64_t r, int64_t c) const {
    const int64_t from = r % rows;
    const Point<T> p = points(from, c);
    const T by_mu = points.by_weight(p.by_mu(), from, c);
    const T by_logvar = points.by_weight(p.by_logvar(), from, c);
    store_gradient<T, V>(out, r * points.cols + c, h[r] * by_mu, h[r] * by_logvar);
  }
};

/// The loss in graph ops, element by element.
template <Variance V>
struct Parts {
  Var mu, logvar, x, w, r;  ///< [rows, X...] but for a shared logvar; w empty where there is none
  explicit Parts(std::span<const Var> in) {
    if constexpr (V == Variance::pairs) {
      const Shape shape(in[0].shape().begin(), in[0].shape().end() - 1);
      mu = reshape(slice(in[0], 0, 0, 1), shape);
      logvar = reshape(slice(in[0], 0, 1, 2), shape);
    } else {
      mu = in[0];
      logvar = in[2];
    }
    const int64_t samples = mu.shape()[0] / in[1].shape()[0];
    x = repeat_rows(in[1], samples);
    if (in.size() > Places<V>::w) w = repeat_rows(in[Places<V>::w], samples);
    r = mu - x;
  }
  Var by_weight(Var v) const { return w ? v * w : v; }
  Var loss() const { return 0.5 * (square(r) * exp(-logvar) + (logvar + kLog2Pi)); }
};

template <Variance V>
struct VarianceNllGradient {
  static inline const std::string name =
      V == Variance::pairs ? "gaussian_nll.pairs.gradient" : "gaussian_nll.shared.gradient";

  std::vector<Type> infer(Types in) const {
    Places<V>::rows_of(name, in, 1);
    return {gradient_type(name, in, in[1])};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const LossRows l = Places<V>::rows_of(name, s.in, 1);
    return l.weighted ? kernel<true>(s, l) : kernel<false>(s, l);
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Parts<V> p(in.subspan(1));
    const Var h = p.by_weight(over_elements(in[0], p.mu));
    const Var precision = exp(-p.logvar), by_mu = h * p.r * precision;
    if constexpr (V == Variance::shared) return {by_mu};
    const Var by_logvar = h * (0.5 * (1.0 - square(p.r) * precision));
    Shape apart = by_mu.shape();
    apart.push_back(1);
    return {concat(std::vector{reshape(by_mu, apart), reshape(by_logvar, apart)}, 0)};
  }
  int overwrites(int) const { return 1; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 25); }
  bool operator==(const VarianceNllGradient&) const = default;

 private:
  template <bool kWeighted>
  static Kernel kernel(const Signature& s, const LossRows& l) {
    return real_kernel(s.in[0].dtype, [l, rows = s.in[0].elements()](const Args& a, auto real) {
      using T = decltype(real);
      for_each_row(a.stream, rows, l.cols,
                   NllGradientBody<T, V, kWeighted>{points<T, V, kWeighted>(a, 1, l), a.input<T>(0),
                                                    a.output<T>(0), l.rows});
    });
  }
};

template <Variance V>
struct VarianceNllWithGradient {
  static inline const std::string name = V == Variance::pairs ? "gaussian_nll.pairs.with_gradient"
                                                              : "gaussian_nll.shared.with_gradient";
  double scale = 1;  ///< of the gradient: the cotangent of every row

  std::vector<Type> infer(Types in) const {
    return {{in[0].dtype, {Places<V>::rows_of(name, in, 0).rows}}, in[0]};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const LossRows l = Places<V>::rows_of(name, s.in, 0);
    return l.weighted ? kernel<true>(s, l) : kernel<false>(s, l);
  }
  std::vector<Var> reference(std::span<const Var> in) const;
  int overwrites(int output) const { return output == 1 ? 0 : -1; }
  Cost cost(const Signature& s) const {
    return streaming_cost(s, 30 * static_cast<double>(Places<V>::rows_of(name, s.in, 0).cols));
  }
  bool operator==(const VarianceNllWithGradient&) const = default;

 private:
  template <bool kWeighted>
  Kernel kernel(const Signature& s, const LossRows& l) const {
    return real_kernel(s.in[0].dtype, [l, scale = scale](const Args& a, auto real) {
      using T = decltype(real);
      reduce_rows(a.stream, l.rows, l.cols, Sum{},
                  NllWithGradientBody<T, V, kWeighted>{points<T, V, kWeighted>(a, 0, l),
                                                       a.output<T>(1), T(scale)},
                  StoreRow<T>{a.output<T>(0), T(1)});
    });
  }
};

template <Variance V>
struct VarianceNll {
  static constexpr const char* name =
      V == Variance::pairs ? "gaussian_nll.pairs" : "gaussian_nll.shared";

  AnyOp gradient() const { return VarianceNllGradient<V>{}; }
  AnyOp with_gradient(double scale) const { return VarianceNllWithGradient<V>{scale}; }

  std::vector<Type> infer(Types in) const {
    return {{in[0].dtype, {Places<V>::rows_of(name, in, 0).rows}}};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const LossRows l = Places<V>::rows_of(name, s.in, 0);
    return l.weighted ? kernel<true>(s, l) : kernel<false>(s, l);
  }
  std::vector<Var> vjp(const Pullback& p) const {
    const Var c = p.cotangents[0];
    std::vector<Var> in{c}, result(p.in.size());
    in.insert(in.end(), p.in.begin(), p.in.end());
    if (p.needs[0]) result[0] = latent::apply(VarianceNllGradient<V>{}, in);
    if constexpr (V == Variance::shared)
      if (p.needs[2]) result[2] = by_shared_logvar(p);
    const bool weights = p.in.size() > Places<V>::w;
    if (!p.needs[1] && !(weights && p.needs.back())) return result;
    const Parts<V> parts(p.in);
    const Var h = over_elements(c, parts.mu);
    if (p.needs[1])
      result[1] = sum_samples(-(parts.by_weight(h) * parts.r * exp(-parts.logvar)), p.in[1]);
    if (weights && p.needs.back()) result.back() = sum_samples(h * parts.loss(), p.in[1]);
    return result;
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Parts<V> p(in);
    return {sum_rows(p.by_weight(p.loss()))};
  }
  Cost cost(const Signature& s) const {
    return streaming_cost(s, 20 * static_cast<double>(Places<V>::rows_of(name, s.in, 0).cols));
  }
  bool operator==(const VarianceNll&) const = default;

 private:
  /// With W the weights of a row and L its loss, d L / d s = W/2 - (L - W/2 (log 2 pi + s)).
  static Var by_shared_logvar(const Pullback& p) {
    const Var x = p.in[1], s = p.in[2], loss = p.out[0];
    const int64_t samples = loss.shape()[0] / x.shape()[0];
    Var slope = 0.5 * (s + (1 + kLog2Pi));
    if (p.in.size() > Places<V>::w)
      slope = slope * repeat_rows(sum_rows(p.in[Places<V>::w]), samples);
    else
      slope = slope * static_cast<double>(x.type().elements() / x.shape()[0]);
    return sum_axes(p.cotangents[0] * (slope - loss), std::vector{0}, true);
  }
  template <bool kWeighted>
  static Kernel kernel(const Signature& s, const LossRows& l) {
    return real_kernel(s.in[0].dtype, [l](const Args& a, auto real) {
      using T = decltype(real);
      reduce_rows(a.stream, l.rows, l.cols, Sum{},
                  NllBody<T, V, kWeighted>{points<T, V, kWeighted>(a, 0, l)},
                  StoreRow<T>{a.output<T>(0), T(1)});
    });
  }
};

template <Variance V>
std::vector<Var> VarianceNllWithGradient<V>::reference(std::span<const Var> in) const {
  const Var rows = latent::apply(VarianceNll<V>{}, in);
  std::vector<Var> with{fill_like(rows, scale)};
  with.insert(with.end(), in.begin(), in.end());
  return {rows, latent::apply(VarianceNllGradient<V>{}, with)};
}

const RegisterLossOps<VarianceNll<Variance::pairs>> pairs;
const RegisterLossOps<VarianceNll<Variance::shared>> shared;

template <Variance V>
std::vector<Sample> variance_samples() {
  const Sample::Range o{-2, 2}, x{-1, 1}, h{-1, 1}, w{0, 2};
  std::vector<Sample> all;
  const auto add = [&](const std::string& label, int64_t samples, Shape shape, bool weights,
                       bool bench = false) {
    const Type target{DType::f32, shape};
    Type output = target;
    output.shape[0] *= samples;
    if (V == Variance::pairs) output.shape.push_back(2);
    std::vector<Type> in{output, target};
    std::vector<Sample::Range> range{o, x};
    if (V == Variance::shared) in.push_back({DType::f32, {1}}), range.push_back(x);
    if (weights) in.push_back(target), range.push_back(w);
    const auto sample = [&](std::string kind, const AnyOp& op) {
      all.push_back({.name = cat(VarianceNll<V>::name, kind, "/", label),
                     .op = op,
                     .in = in,
                     .range = range,
                     .bench = bench});
    };
    sample("", VarianceNll<V>{});
    sample("/with_gradient", VarianceNllWithGradient<V>{0.25});
    if (bench) return;
    in.insert(in.begin(), {DType::f32, {2, output.shape[0]}}), range.insert(range.begin(), h);
    sample("/gradient", VarianceNllGradient<V>{});
  };
  add("1x37", 1, {1, 37}, false);
  add("37x1", 1, {37, 1}, false);
  add("5x1100", 1, {5, 1100}, false);
  add("3x5x7/weighted", 1, {3, 5, 7}, true);
  add("samples/3x2x7", 3, {3, 2, 7}, false);
  add("samples/3x37/weighted", 3, {3, 37}, true);
  add("256x784", 1, {256, 784}, false, true);
  return all;
}
const RegisterSamples pair_samples{"loss/gaussian_nll_pairs", variance_samples<Variance::pairs>};
const RegisterSamples shared_samples{"loss/gaussian_nll_shared",
                                     variance_samples<Variance::shared>};

}  // namespace

Var gaussian_nll_pairs(Var mu_logvar, Var x, Var weight) {
  if (!weight) return apply(VarianceNll<Variance::pairs>{}, {mu_logvar, x});
  return apply(VarianceNll<Variance::pairs>{}, {mu_logvar, x, weight});
}

Var gaussian_nll_shared(Var mu, Var x, Var logvar, Var weight) {
  if (!weight) return apply(VarianceNll<Variance::shared>{}, {mu, x, logvar});
  return apply(VarianceNll<Variance::shared>{}, {mu, x, logvar, weight});
}

}  // namespace latent
