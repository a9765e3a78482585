// The ops made of one loss F: a number an element from a prediction o and a target x, times the
// element's weight w where there are weights, added up or averaged in a row.
//
//   struct Laplace {
//     static constexpr const char* name = "laplace_nll";
//     static constexpr bool kMean = false;                // averaged, not added up
//     static constexpr int kOrder = 1;                    // highest I + J below
//     static constexpr bool kVanishes = true;             // derivatives beyond kOrder are zero
//     template <int I, int J, class T>
//     static LATENT_HD T d(T o, T x);                     // I times by o, J times by x
//     Var reference(Var o, Var x) const;                  // element by element, in graph ops
//     bool operator==(const Laplace&) const = default;
//   };
//   const RegisterLoss<Laplace> registered{Laplace{}};
//
// A loss with settings has a `template <class T> ... element() const`: the settings as T and d.
//
// RowLoss<F>                (o, x[, w])    -> [rows]
// RowLossGradient<F, I, J>  (h, o, x[, w]) -> h w d(o, x) with h [..., rows]
// LossElements<F, I, J>     (h, o, x)      -> h d(o, x) with h [..., rows, X...], whose gradients are
//                                             itself at I + 1 and at J + 1
// LossWithGradient<F>       (o, x[, w])    -> RowLoss and its gradient for a constant cotangent; put
//                                             into a graph by a pass
//
// o has a multiple of the rows of x and w (LossRows). Averages are over all elements: weights with
// which unobserved ones do not count are those of mean_weights().
#pragma once

#include <vector>

#include "core/graph/samples.h"
#include "kernels/functions.h"
#include "kernels/loss/rows.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/skeleton/reduce_rows.h"

namespace latent {

/// F as kernels want it.
template <class T, class F>
auto element_of(const F& f) {
  if constexpr (requires { f.template element<T>(); })
    return f.template element<T>();
  else
    return f;
}
template <class F, class T>
using ElementOf = decltype(element_of<T>(std::declval<F>()));

/// What one number of the sum is multiplied with.
template <class F>
double mean_factor(const LossRows& l) {
  return F::kMean ? 1 / static_cast<double>(l.cols) : 1;
}

/// The data of a loss, and its derivatives at an element.
template <class F, class T, bool kWeighted>
struct LossData {
  F f;
  const T *o, *x, *w;
  int64_t cols;
  TargetRow target;
  template <int I, int J>
  LATENT_HD T d(int64_t r, int64_t c) const {
    const int64_t at = target(r) * cols + c;
    const T value = f.template d<I, J>(o[r * cols + c], x[at]);
    if constexpr (kWeighted) return weighted(w[at], value);
    return value;
  }
};
template <bool kWeighted, class T, class F>
auto loss_data(const F& f, const Args& a, int first, const LossRows& l) {
  return LossData<ElementOf<F, T>, T, kWeighted>{element_of<T>(f),
                                                 a.input<T>(first),
                                                 a.input<T>(first + 1),
                                                 kWeighted ? a.input<T>(first + 2) : nullptr,
                                                 l.cols,
                                                 TargetRow(l.samples)};
}
/// run(a, bool_constant of weighted, T{}).
template <class Run>
Kernel loss_kernel(DType dtype, bool weighted, Run run) {
  if (weighted)
    return real_kernel(dtype, [run](const Args& a, auto real) { run(a, std::true_type{}, real); });
  return real_kernel(dtype, [run](const Args& a, auto real) { run(a, std::false_type{}, real); });
}

template <class D, class T>
struct LossBody {
  D data;
  LATENT_HD T operator()(int64_t r, int64_t c) const { return data.template d<0, 0>(r, c); }
};

/// The loss, leaving its gradient on the way.
template <class D, class T>
struct LossWithGradientBody {
  D data;
  T* gradient;
  T scale;
  LATENT_HD T operator()(int64_t r, int64_t c) const {
    const T slope = data.template d<1, 0>(r, c), loss = data.template d<0, 0>(r, c);
    gradient[r * data.cols + c] = scale * slope;
    return loss;
  }
};

/// h is [..., rows] or [..., rows, X...].
template <class D, class T, int I, int J, bool kPerRow>
struct LossGradientBody {
  D data;
  const T* h;
  T* out;
  T weight;
  int64_t rows;  ///< of o; h has a multiple of them
  LATENT_HD void operator()(int64_t r, int64_t c) const {
    const int64_t at = r * data.cols + c;
    out[at] = weight * h[kPerRow ? r : at] * data.template d<I, J>(r % rows, c);
  }
};

template <class F, int I, int J>
struct LossElements {
  static inline const std::string name = cat(F::name, ".elements", I, J);
  F f;

  std::vector<Type> infer(Types in) const {
    require_reals(name, in, 3);
    loss_rows(name, in, in[1], in[2], nullptr);
    const Shape &h = in[0].shape, &o = in[1].shape;
    if (h.size() < o.size() || !std::equal(o.rbegin(), o.rend(), h.rbegin()))
      throw op_error(name, "h does not fit", in);
    return {in[0]};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const LossRows l = loss_rows(name, s.in, s.in[1], s.in[2], nullptr);
    const int64_t rows = l.cols ? s.out[0].elements() / l.cols : 0;
    return real_kernel(s.in[0].dtype, [l, rows, f = f](const Args& a, auto real) {
      using T = decltype(real);
      const auto data = loss_data<false, T>(f, a, 1, l);
      for_each_row(a.stream, rows, l.cols,
                   LossGradientBody<decltype(data), T, I, J, false>{data, a.input<T>(0),
                                                                    a.output<T>(0), T(1), l.rows});
    });
  }
  std::vector<Var> vjp(const Pullback& p) const {
    const Var h = p.in[0], o = p.in[1], x = p.in[2], c = p.cotangents[0];
    std::vector<Var> result(3);
    if (p.needs[0]) result[0] = apply(LossElements{f}, {c, o, x});
    if (!p.needs[1] && !p.needs[2]) return result;
    if constexpr (I + J < F::kOrder) {
      const Var sum = unbroadcast(mul(c, h), o.shape(), p.batch_axes);
      if (p.needs[1]) result[1] = apply(LossElements<F, I + 1, J>{f}, {sum, o, x});
      if (p.needs[2]) result[2] = sum_samples(apply(LossElements<F, I, J + 1>{f}, {sum, o, x}), x);
    } else if (!kVanishes<F>) {
      throw GraphError(cat(F::name, ": derivative ", I + J + 1, " is not given"));
    }
    return result;
  }
  int overwrites(int) const { return 0; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 10); }
  bool operator==(const LossElements&) const = default;
};

template <class F, int I, int J>
struct RowLossGradient {
  static_assert(I + J <= 1);
  static inline const std::string name =
      I == 1 ? cat(F::name, ".gradient") : cat(F::name, ".gradient", I, J);
  F f;

  std::vector<Type> infer(Types in) const {
    require_reals(name, in, in.size() == 4 ? 4 : 3);
    rows_of(in);
    return {gradient_type(name, in, in[1])};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const LossRows l = rows_of(s.in);
    const int64_t rows = l.cols ? s.out[0].elements() / l.cols : 0;
    return loss_kernel(
        s.in[0].dtype, l.weighted, [l, rows, f = f](const Args& a, auto weights, auto real) {
          using T = decltype(real);
          const auto data = loss_data<weights.value, T>(f, a, 1, l);
          for_each_row(a.stream, rows, l.cols,
                       LossGradientBody<decltype(data), T, I, J, true>{
                           data, a.input<T>(0), a.output<T>(0), T(mean_factor<F>(l)), l.rows});
        });
  }
  std::vector<Var> vjp(const Pullback& p) const {
    const Var h = p.in[0], o = p.in[1], x = p.in[2], w = p.in.size() == 4 ? p.in[3] : Var{};
    const LossRows l = loss_rows(name, {}, o.type(), x.type(), nullptr);
    std::vector<Var> result(p.in.size());
    // Everything is c h w factor d(o, x), of which each input's gradient leaves out one factor.
    const Var c = F::kMean ? p.cotangents[0] * mean_factor<F>(l) : p.cotangents[0];
    const auto by_weight = [&](Var v) { return w ? v * repeat_rows(w, l.samples) : v; };
    if (p.needs[0])
      result[0] =
          sum_axes(apply(LossElements<F, I, J>{f}, {by_weight(c), o, x}), inner_axes(o), false);
    if (!p.needs[1] && !p.needs[2] && !(w && p.needs[3])) return result;
    const Var ch = unbroadcast(mul(c, over_elements(h, o)), o.shape(), p.batch_axes);
    if constexpr (I + J < F::kOrder) {
      if (p.needs[1]) result[1] = apply(LossElements<F, I + 1, J>{f}, {by_weight(ch), o, x});
      if (p.needs[2])
        result[2] = sum_samples(apply(LossElements<F, I, J + 1>{f}, {by_weight(ch), o, x}), x);
    }
    if (w && p.needs[3]) result[3] = sum_samples(apply(LossElements<F, I, J>{f}, {ch, o, x}), x);
    return result;
  }
  int overwrites(int) const { return 1; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 10); }
  bool operator==(const RowLossGradient&) const = default;

 private:
  static LossRows rows_of(Types in) {
    return loss_rows(name, in, in[1], in[2], in.size() == 4 ? &in[3] : nullptr);
  }
};

template <class F>
struct LossWithGradient;

template <class F>
struct RowLoss {
  static constexpr const char* name = F::name;
  F f;

  AnyOp gradient() const { return RowLossGradient<F, 1, 0>{f}; }
  AnyOp with_gradient(double scale) const { return LossWithGradient<F>{f, scale}; }

  std::vector<Type> infer(Types in) const {
    require_reals(name, in, in.size() == 3 ? 3 : 2);
    return {{in[0].dtype, {rows_of(in).rows}}};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const LossRows l = rows_of(s.in);
    return loss_kernel(
        s.in[0].dtype, l.weighted, [l, f = f](const Args& a, auto weights, auto real) {
          using T = decltype(real);
          const auto data = loss_data<weights.value, T>(f, a, 0, l);
          reduce_rows(a.stream, l.rows, l.cols, Sum{}, LossBody<decltype(data), T>{data},
                      StoreRow<T>{a.output<T>(0), T(mean_factor<F>(l))});
        });
  }
  std::vector<Var> vjp(const Pullback& p) const {
    std::vector<Var> in{p.cotangents[0]}, result(p.in.size());
    in.insert(in.end(), p.in.begin(), p.in.end());
    if (p.needs[0]) result[0] = latent::apply(RowLossGradient<F, 1, 0>{f}, in);
    if (p.needs[1])
      result[1] = sum_samples(latent::apply(RowLossGradient<F, 0, 1>{f}, in), p.in[1]);
    if (p.in.size() == 3 && p.needs[2])
      result[2] = sum_samples(apply(RowLossGradient<F, 0, 0>{f}, {in[0], in[1], in[2]}), p.in[2]);
    return result;
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const LossRows l = loss_rows(name, {}, in[0].type(), in[1].type(), nullptr);
    Var each = f.reference(in[0], repeat_rows(in[1], l.samples));
    if (in.size() == 3) each = repeat_rows(in[2], l.samples) * each;
    return {sum_rows(each) * mean_factor<F>(l)};
  }
  Cost cost(const Signature& s) const {
    return streaming_cost(s, 10 * static_cast<double>(rows_of(s.in).cols));
  }
  bool operator==(const RowLoss&) const = default;

  static LossRows rows_of(Types in) {
    return loss_rows(name, in, in[0], in[1], in.size() == 3 ? &in[2] : nullptr);
  }
};

template <class F>
struct LossWithGradient {
  static inline const std::string name = cat(F::name, ".with_gradient");
  F f;
  double scale = 1;  ///< of the gradient: the cotangent of every row

  std::vector<Type> infer(Types in) const { return {RowLoss<F>{f}.infer(in).front(), in[0]}; }
  Kernel prepare(const Signature& s, Device&) const {
    const LossRows l = RowLoss<F>::rows_of(s.in);
    return loss_kernel(
        s.in[0].dtype, l.weighted,
        [l, f = f, by = scale * mean_factor<F>(l)](const Args& a, auto weights, auto real) {
          using T = decltype(real);
          const auto data = loss_data<weights.value, T>(f, a, 0, l);
          reduce_rows(a.stream, l.rows, l.cols, Sum{},
                      LossWithGradientBody<decltype(data), T>{data, a.output<T>(1), T(by)},
                      StoreRow<T>{a.output<T>(0), T(mean_factor<F>(l))});
        });
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Var rows = latent::apply(RowLoss<F>{f}, in);
    std::vector<Var> with{fill_like(rows, scale)};
    with.insert(with.end(), in.begin(), in.end());
    return {rows, latent::apply(RowLossGradient<F, 1, 0>{f}, with)};
  }
  int overwrites(int output) const { return output == 1 ? 0 : -1; }
  Cost cost(const Signature& s) const {
    return streaming_cost(s, 15 * static_cast<double>(RowLoss<F>::rows_of(s.in).cols));
  }
  bool operator==(const LossWithGradient&) const = default;
};

template <class F>
Var row_loss(const F& f, Var o, Var x, Var weight) {
  if (!weight) return apply(RowLoss<F>{f}, {o, x});
  return apply(RowLoss<F>{f}, {o, x, weight});
}

template <class F>
std::vector<Sample> loss_samples(const F& f) {
  const Sample::Range o{-3, 3}, x{0, 1}, h{-1, 1}, w{0, 2};
  std::vector<Sample> samples;
  const auto add = [&](std::string label, const AnyOp& op, std::vector<Type> in,
                       std::vector<Sample::Range> range, bool bench = false) {
    samples.push_back({.name = cat(F::name, "/", label),
                       .op = op,
                       .in = std::move(in),
                       .range = std::move(range),
                       .bench = bench});
  };
  const auto loss = [&](std::string label, Shape shape, bool bench = false) {
    const Type type{DType::f32, shape};
    add(label, RowLoss<F>{f}, {type, type}, {o, x}, bench);
    add("with_gradient/" + label, LossWithGradient<F>{f, 0.25}, {type, type}, {o, x}, bench);
  };
  loss("1x37", {1, 37});
  loss("37x1", {37, 1});
  loss("5x1100", {5, 1100});
  loss("3x5x7", {3, 5, 7});
  loss("256x784", {256, 784}, true);
  const auto weighted = [&](std::string label, int64_t samples, Shape shape, bool bench = false) {
    const Type target{DType::f32, shape};
    Type output = target;
    output.shape[0] *= samples;
    add(label, RowLoss<F>{f}, {output, target, target}, {o, x, w}, bench);
    add("with_gradient/" + label, LossWithGradient<F>{f, 0.25}, {output, target, target}, {o, x, w},
        bench);
  };
  weighted("weighted/5x37", 1, {5, 37});
  weighted("weighted/256x784", 1, {256, 784}, true);
  weighted("samples/weighted/3x5x7", 3, {3, 5, 7});
  const Type row{DType::f32, {3, 5, 7}}, rows{DType::f32, {6, 5, 7}};
  add("samples/6x5x7", RowLoss<F>{f}, {rows, row}, {o, x});
  add("with_gradient/samples/6x5x7", LossWithGradient<F>{f, 0.25}, {rows, row}, {o, x});
  add("gradient/rows", RowLossGradient<F, 1, 0>{f}, {{DType::f32, {2, 3}}, row, row}, {h, o, x});
  add("gradient/weighted", RowLossGradient<F, 1, 0>{f}, {{DType::f32, {2, 6}}, rows, row, row},
      {h, o, x, w});
  add("gradient/elements", LossElements<F, 1, 0>{f}, {{DType::f32, {2, 6, 5, 7}}, rows, row},
      {h, o, x});
  return samples;
}

template <class F>
struct RegisterLoss {
  explicit RegisterLoss(const F& f)
      : samples(cat("loss/", F::name), [f] { return loss_samples(f); }) {}
  RegisterLossOps<RowLoss<F>> ops;
  RegisterSamples samples;
};

}  // namespace latent
