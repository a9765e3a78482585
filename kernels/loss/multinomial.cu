// Negative log-likelihood of counts x under a multinomial with logits l, without the coefficient, which has no
// gradient: -sum x log_softmax(l) = sum x (log sum exp l) - sum x l   (Liang et al. 2018, eq. 2).
// A weight multiplies its count. The softmax is over all elements of a row.
#include "core/graph/samples.h"
#include "kernels/loss/log_sum_exp.h"
#include "kernels/loss/multinomial.h"
#include "kernels/loss/rows.h"
#include "kernels/real.h"
#include "kernels/skeleton/reduce_map_rows.h"

namespace latent {
namespace {

/// What the loss and the gradient of a row need to know of it.
template <class T>
struct RowSums {
  ScaledSum<T> exps;
  T count, dot;
};

struct RowSumsMonoid {
  template <class A>
  static LATENT_HD A identity() {
    return {LogSumExpMonoid::identity<decltype(A{}.exps)>(), 0, 0};
  }
  template <class A>
  static LATENT_HD A combine(A a, A b) {
    return {LogSumExpMonoid::combine(a.exps, b.exps), a.count + b.count, a.dot + b.dot};
  }
};

template <class T, bool kWeighted>
struct Counts {
  const T *logits, *x, *w;
  int64_t cols;
  TargetRow target;

  LATENT_HD T logit(int64_t r, int64_t c) const { return logits[r * cols + c]; }
  LATENT_HD T count(int64_t r, int64_t c) const {
    const int64_t at = target(r) * cols + c;
    if constexpr (kWeighted) return weighted(w[at], x[at]);
    return x[at];
  }
  LATENT_HD RowSums<T> operator()(int64_t r, int64_t c) const {
    const T l = logit(r, c), n = count(r, c);
    return {{l, T(1)}, n, weighted(n, l)};
  }
};
template <class T, bool kWeighted>
Counts<T, kWeighted> counts(const Args& a, int first, const LossRows& l) {
  return {a.input<T>(first), a.input<T>(first + 1), kWeighted ? a.input<T>(first + 2) : nullptr,
          l.cols, TargetRow(l.samples)};
}

template <class T>
struct StoreNll {
  T* out;
  LATENT_HD void operator()(int64_t r, RowSums<T> row) const {
    out[r] = row.exps.log() * row.count - row.dot;
  }
};

struct StoreNothing {
  template <class A>
  LATENT_HD void operator()(int64_t, A) const {}
};

/// h (softmax(l) sum x - x), with one h a row or the same for all.
template <class T, bool kWeighted, bool kPerRow>
struct CountsGradient {
  Counts<T, kWeighted> data;
  const T* h;
  T scale;
  T* out;
  LATENT_HD void operator()(int64_t r, int64_t c, RowSums<T> row) const {
    const T p = math::exp(data.logit(r, c) - row.exps.max) * (row.count / row.exps.sum);
    out[r * data.cols + c] = (kPerRow ? h[r] : scale) * (p - data.count(r, c));
  }
};

/// The loss in graph ops, as matrices.
struct Parts {
  Var logits, log_p, x, w;  ///< [rows, elements]; w empty where there is none
  explicit Parts(std::span<const Var> in) {
    const auto matrix = [](Var v) { return reshape(v, {v.shape().front(), -1}); };
    logits = matrix(in[0]);
    const int64_t rows = logits.shape()[0], samples = rows / in[1].shape().front();
    x = repeat_rows(matrix(in[1]), samples);
    if (in.size() > 2) w = repeat_rows(matrix(in[2]), samples);
    log_p = logits - reshape(log_sum_exp(logits), {rows, 1});
  }
  Var counts() const { return w ? w * x : x; }
  static Var over_columns(Var h) {
    Shape shape = h.shape();
    shape.push_back(1);
    return reshape(h, shape);
  }
};

/// v [..., rows, elements] as the rows of `like`.
Var rows_like(Var v, Var like) {
  Shape shape(v.shape().begin(), v.shape().end() - 1);
  shape.insert(shape.end(), like.shape().begin() + 1, like.shape().end());
  return reshape(v, shape);
}

LossRows rows_of(std::string_view name, Types in, size_t first) {
  require_reals(name, in, in.size() == first + 3 ? first + 3 : first + 2);
  return loss_rows(name, in, in[first], in[first + 1],
                   in.size() == first + 3 ? &in[first + 2] : nullptr);
}

struct MultinomialGradient {
  static constexpr const char* name = "multinomial_nll.gradient";

  std::vector<Type> infer(Types in) const {
    rows_of(name, in, 1);
    return {gradient_type(name, in, in[1])};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const LossRows l = rows_of(name, s.in, 1);
    return l.weighted ? kernel<true>(s, l) : kernel<false>(s, l);
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Parts p(in.subspan(1));
    const Var n = p.counts(), total = sum_axes(n, std::vector{0}, true);
    return {rows_like(Parts::over_columns(in[0]) * (exp(p.log_p) * total - n), in[1])};
  }
  int overwrites(int) const { return 1; }
  Cost cost(const Signature& s) const {
    Cost cost = streaming_cost(s, 40);
    cost.launches = static_cast<int>(batches(s));
    return cost;
  }
  bool operator==(const MultinomialGradient&) const = default;

 private:
  /// Cotangents a row; each is a pass of its own.
  static int64_t batches(const Signature& s) {
    return s.in[0].elements() / std::max<int64_t>(1, s.in[0].dim(0));
  }
  template <bool kWeighted>
  static Kernel kernel(const Signature& s, const LossRows& l) {
    return real_kernel(s.in[0].dtype, [l, n = batches(s)](const Args& a, auto real) {
      using T = decltype(real);
      const auto data = counts<T, kWeighted>(a, 1, l);
      for (int64_t b = 0; b < n; ++b)
        reduce_map_rows(a.stream, l.rows, l.cols, RowSumsMonoid{}, data, StoreNothing{},
                        CountsGradient<T, kWeighted, true>{data, a.input<T>(0) + b * l.rows, T(1),
                                                           a.output<T>(0) + b * l.rows * l.cols});
    });
  }
};

struct MultinomialWithGradient {
  static constexpr const char* name = "multinomial_nll.with_gradient";
  double scale = 1;  ///< of the gradient: the cotangent of every row

  std::vector<Type> infer(Types in) const {
    return {{in[0].dtype, {rows_of(name, in, 0).rows}}, in[0]};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const LossRows l = rows_of(name, s.in, 0);
    return l.weighted ? kernel<true>(s.in[0].dtype, l) : kernel<false>(s.in[0].dtype, l);
  }
  std::vector<Var> reference(std::span<const Var> in) const;
  int overwrites(int output) const { return output == 1 ? 0 : -1; }
  Cost cost(const Signature& s) const {
    return streaming_cost(s, 40 * static_cast<double>(rows_of(name, s.in, 0).cols));
  }
  bool operator==(const MultinomialWithGradient&) const = default;

 private:
  template <bool kWeighted>
  Kernel kernel(DType dtype, const LossRows& l) const {
    return real_kernel(dtype, [l, scale = scale](const Args& a, auto real) {
      using T = decltype(real);
      const auto data = counts<T, kWeighted>(a, 0, l);
      reduce_map_rows(a.stream, l.rows, l.cols, RowSumsMonoid{}, data, StoreNll<T>{a.output<T>(0)},
                      CountsGradient<T, kWeighted, false>{data, nullptr, T(scale), a.output<T>(1)});
    });
  }
};

struct Multinomial {
  static constexpr const char* name = "multinomial_nll";

  AnyOp gradient() const { return MultinomialGradient{}; }
  AnyOp with_gradient(double scale) const { return MultinomialWithGradient{scale}; }

  std::vector<Type> infer(Types in) const { return {{in[0].dtype, {rows_of(name, in, 0).rows}}}; }
  Kernel prepare(const Signature& s, Device&) const {
    const LossRows l = rows_of(name, s.in, 0);
    return l.weighted ? kernel<true>(s.in[0].dtype, l) : kernel<false>(s.in[0].dtype, l);
  }
  std::vector<Var> vjp(const Pullback& p) const {
    std::vector<Var> in{p.cotangents[0]}, result(p.in.size());
    in.insert(in.end(), p.in.begin(), p.in.end());
    if (p.needs[0]) result[0] = latent::apply(MultinomialGradient{}, in);
    const Parts parts(p.in);
    const Var missing = -(Parts::over_columns(in[0]) * parts.log_p);
    if (p.needs[1])
      result[1] = sum_samples(rows_like(parts.w ? missing * parts.w : missing, p.in[1]), p.in[1]);
    if (parts.w && p.needs[2])
      result[2] = sum_samples(rows_like(missing * parts.x, p.in[1]), p.in[1]);
    return result;
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Parts p(in);
    return {-sum_rows(p.counts() * p.log_p)};
  }
  Cost cost(const Signature& s) const {
    return streaming_cost(s, 20 * static_cast<double>(rows_of(name, s.in, 0).cols));
  }
  bool operator==(const Multinomial&) const = default;

 private:
  template <bool kWeighted>
  static Kernel kernel(DType dtype, const LossRows& l) {
    return real_kernel(dtype, [l](const Args& a, auto real) {
      using T = decltype(real);
      reduce_rows(a.stream, l.rows, l.cols, RowSumsMonoid{}, counts<T, kWeighted>(a, 0, l),
                  StoreNll<T>{a.output<T>(0)});
    });
  }
};

std::vector<Var> MultinomialWithGradient::reference(std::span<const Var> in) const {
  const Var rows = latent::apply(Multinomial{}, in);
  std::vector<Var> with{fill_like(rows, scale)};
  with.insert(with.end(), in.begin(), in.end());
  return {rows, latent::apply(MultinomialGradient{}, with)};
}

const RegisterLossOps<Multinomial> registered;

const RegisterSamples samples{
    "loss/multinomial_nll", [] {
      const Sample::Range o{-4, 4}, x{0, 3}, h{-1, 1}, w{0, 2};
      std::vector<Sample> all;
      const auto add = [&](std::string label, int64_t samples, Shape shape, bool weights,
                           bool bench = false) {
        const Type target{DType::f32, shape};
        Type output = target;
        output.shape[0] *= samples;
        std::vector<Type> in{output, target};
        std::vector<Sample::Range> range{o, x};
        if (weights) in.push_back(target), range.push_back(w);
        all.push_back({.name = cat("multinomial_nll/", label),
                       .op = Multinomial{},
                       .in = in,
                       .range = range,
                       .bench = bench});
        all.push_back({.name = cat("multinomial_nll/with_gradient/", label),
                       .op = MultinomialWithGradient{0.25},
                       .in = in,
                       .range = range,
                       .bench = bench});
        in.insert(in.begin(), {DType::f32, {output.shape[0]}}), range.insert(range.begin(), h);
        all.push_back({.name = cat("multinomial_nll/gradient/", label),
                       .op = MultinomialGradient{},
                       .in = in,
                       .range = range,
                       .bench = bench});
        in[0].shape.insert(in[0].shape.begin(), 2);
        if (!bench)
          all.push_back({.name = cat("multinomial_nll/gradient/batched/", label),
                         .op = MultinomialGradient{},
                         .in = in,
                         .range = range});
      };
      add("1x37", 1, {1, 37}, false);
      add("37x1", 1, {37, 1}, false);
      add("3x1100", 1, {3, 1100}, false);
      add("3x5x7", 1, {3, 5, 7}, false);
      add("5x37/weighted", 1, {5, 37}, true);
      add("samples/3x2x7", 3, {3, 2, 7}, false);
      add("samples/3x37/weighted", 3, {3, 37}, true);
      add("256x5000", 1, {256, 5000}, false, true);
      return all;
    }};

}  // namespace

MultinomialOps multinomial_ops() {
  return {.loss = Multinomial{}, .gradient = MultinomialGradient{}};
}

Var multinomial_nll(Var logits, Var x, Var weight) {
  if (!weight) return apply(Multinomial{}, {logits, x});
  return apply(Multinomial{}, {logits, x, weight});
}

}  // namespace latent
