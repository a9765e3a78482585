// The ops made of one loss F: a number an element from a prediction o and a target x, added up or
// averaged in a row.
//
//   struct Gaussian {
//     static constexpr const char* name = "gaussian_nll";
//     static constexpr bool kMean = false;                // averaged, not added up
//     static constexpr int kOrder = 2;                    // highest I + J below
//     static constexpr bool kVanishes = true;             // derivatives beyond kOrder are zero
//     template <int I, int J, class T>
//     static LATENT_HD T d(T o, T x);                     // I times by o, J times by x
//     static Var reference(Var o, Var x);                 // element by element, in graph ops
//   };
//   const RegisterLoss<Gaussian> registered;
//
// RowLoss<F>             (o, x)    -> [rows]
// LossGradient<F, I, J>  (h, o, x) -> h d(o, x), whose gradients are itself at I + 1 and at J + 1
// LossWithGradient<F>    (o, x)    -> RowLoss and its gradient for a constant cotangent; put into a
//                                     graph by a pass
#pragma once

#include <vector>

#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/functions.h"
#include "kernels/loss/family.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/skeleton/reduce_rows.h"
#include "kernels/structural/structural.h"

namespace latent {

/// Elements of a row, and what each counts.
struct LossRows {
  int64_t rows = 0, cols = 0;
  double weight = 1;
};
template <class F>
LossRows loss_rows(const Type& o) {
  LossRows r{.rows = o.shape.front()};
  r.cols = o.elements() / std::max<int64_t>(1, r.rows);
  if (F::kMean) r.weight = 1 / static_cast<double>(r.cols);
  return r;
}

template <class F, class T>
struct LossBody {
  const T *o, *x;
  int64_t cols;
  LATENT_HD T operator()(int64_t r, int64_t c) const {
    return F::template d<0, 0>(o[r * cols + c], x[r * cols + c]);
  }
};

/// The loss, leaving its gradient on the way.
template <class F, class T>
struct LossWithGradientBody {
  const T *o, *x;
  T* gradient;
  T scale;
  int64_t cols;
  LATENT_HD T operator()(int64_t r, int64_t c) const {
    const T prediction = o[r * cols + c], target = x[r * cols + c];
    gradient[r * cols + c] = scale * F::template d<1, 0>(prediction, target);
    return F::template d<0, 0>(prediction, target);
  }
};

template <class T>
struct StoreRow {
  T* out;
  T weight;
  LATENT_HD void operator()(int64_t r, T sum) const { out[r] = weight * sum; }
};

template <class F, class T, int I, int J, bool kPerRow>
struct LossGradientBody {
  const T *h, *o, *x;
  T* out;
  T weight;
  int64_t rows, cols;  ///< of o and x; h has a multiple of the rows
  LATENT_HD void operator()(int64_t r, int64_t c) const {
    const int64_t at = r * cols + c, from = (r % rows) * cols + c;
    out[at] = weight * h[kPerRow ? r : at] * F::template d<I, J>(o[from], x[from]);
  }
};

template <class F, int I, int J>
struct LossGradient {
  static inline const std::string name = cat(F::name, ".gradient", I, J);
  bool per_row = true;  ///< h is [..., rows], else [..., rows, ...] as o; leading axes are extra

  std::vector<Type> infer(Types in) const {
    require_reals(name, in, 3);
    require_loss_types(name, in, in[1], in[2]);
    const Shape& o = in[1].shape;
    Shape tail = per_row ? Shape{o.front()} : o;
    if (in[0].shape.size() < tail.size() ||
        !std::equal(tail.rbegin(), tail.rend(), in[0].shape.rbegin()))
      throw op_error(name, "h does not fit", in);
    Type out = in[0];
    if (per_row) out.shape.insert(out.shape.end(), o.begin() + 1, o.end());
    return {out};
  }
  Kernel prepare(const Signature& s, Device&) const {
    return per_row ? kernel<true>(s) : kernel<false>(s);
  }
  std::vector<Var> vjp(const Pullback& p) const {
    const Var h = p.in[0], o = p.in[1], x = p.in[2], c = p.cotangents[0];
    std::vector<Var> result(3);
    if (p.needs[0]) {
      result[0] = apply(LossGradient{.per_row = false}, {c, o, x});
      if (per_row) result[0] = sum_axes(result[0], inner_axes(o), false);
    }
    if (!p.needs[1] && !p.needs[2]) return result;
    if constexpr (I + J < F::kOrder) {
      Shape wide = h.shape();
      if (per_row) wide.resize(wide.size() + inner_axes(o).size(), 1);
      const Var sum = unbroadcast(mul(c, reshape(h, wide)), o.shape(), p.batch_axes);
      if (p.needs[1]) result[1] = apply(LossGradient<F, I + 1, J>{.per_row = false}, {sum, o, x});
      if (p.needs[2]) result[2] = apply(LossGradient<F, I, J + 1>{.per_row = false}, {sum, o, x});
    } else if (!kVanishes<F>) {
      throw GraphError(cat(F::name, ": derivative ", I + J + 1, " is not given"));
    }
    return result;
  }
  int overwrites(int) const { return per_row ? 1 : 0; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 10); }
  bool operator==(const LossGradient&) const = default;

 private:
  /// All axes of o but its rows.
  static std::vector<int> inner_axes(Var o) {
    std::vector<int> axes(o.type().rank() - 1);
    for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int>(i);
    return axes;
  }
  template <bool kPerRow>
  static Kernel kernel(const Signature& s) {
    const LossRows l = loss_rows<F>(s.in[1]);
    const int64_t rows = l.cols ? s.out[0].elements() / l.cols : 0;
    return real_kernel(s.in[1].dtype, [l, rows](const Args& a, auto real) {
      using T = decltype(real);
      for_each_row(
          a.stream, rows, l.cols,
          LossGradientBody<F, T, I, J, kPerRow>{a.input<T>(0), a.input<T>(1), a.input<T>(2),
                                                a.output<T>(0), T(l.weight), l.rows, l.cols});
    });
  }
};

template <class F>
struct RowLoss {
  static constexpr const char* name = F::name;

  std::vector<Type> infer(Types in) const {
    require_reals(name, in, 2);
    require_loss_types(name, in, in[0], in[1]);
    return {{in[0].dtype, {in[0].shape.front()}}};
  }
  Kernel prepare(const Signature& s, Device&) const {
    return real_kernel(s.in[0].dtype, [l = loss_rows<F>(s.in[0])](const Args& a, auto real) {
      using T = decltype(real);
      reduce_rows(a.stream, l.rows, l.cols, Sum{},
                  LossBody<F, T>{a.input<T>(0), a.input<T>(1), l.cols},
                  StoreRow<T>{a.output<T>(0), T(l.weight)});
    });
  }
  std::vector<Var> vjp(const Pullback& p) const {
    std::vector<Var> result(2);
    const Var c = p.cotangents[0];
    if (p.needs[0]) result[0] = apply(LossGradient<F, 1, 0>{}, {c, p.in[0], p.in[1]});
    if (p.needs[1]) result[1] = apply(LossGradient<F, 0, 1>{}, {c, p.in[0], p.in[1]});
    return result;
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    return {sum_rows(F::reference(in[0], in[1])) * loss_rows<F>(in[0].type()).weight};
  }
  Cost cost(const Signature& s) const {
    return streaming_cost(s, 10 * static_cast<double>(loss_rows<F>(s.in[0]).cols));
  }
  bool operator==(const RowLoss&) const = default;
};

template <class F>
struct LossWithGradient {
  static inline const std::string name = cat(F::name, ".with_gradient");
  double scale = 1;  ///< of the gradient: the cotangent of every row

  std::vector<Type> infer(Types in) const { return {RowLoss<F>{}.infer(in).front(), in[0]}; }
  Kernel prepare(const Signature& s, Device&) const {
    const LossRows l = loss_rows<F>(s.in[0]);
    return real_kernel(s.in[0].dtype, [l, by = scale * l.weight](const Args& a, auto real) {
      using T = decltype(real);
      reduce_rows(
          a.stream, l.rows, l.cols, Sum{},
          LossWithGradientBody<F, T>{a.input<T>(0), a.input<T>(1), a.output<T>(1), T(by), l.cols},
          StoreRow<T>{a.output<T>(0), T(l.weight)});
    });
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Var rows = latent::apply(RowLoss<F>{}, in);
    return {rows, apply(LossGradient<F, 1, 0>{}, {fill_like(rows, scale), in[0], in[1]})};
  }
  int overwrites(int output) const { return output == 1 ? 0 : -1; }
  Cost cost(const Signature& s) const {
    return streaming_cost(s, 15 * static_cast<double>(loss_rows<F>(s.in[0]).cols));
  }
  bool operator==(const LossWithGradient&) const = default;
};

template <class F>
std::vector<Sample> loss_samples() {
  const Sample::Range o{-3, 3}, x{0, 1}, h{-1, 1};
  std::vector<Sample> samples;
  auto add = [&](std::string label, Shape shape, bool bench = false) {
    const Type type{DType::f32, shape};
    samples.push_back({.name = cat(F::name, "/", label),
                       .op = RowLoss<F>{},
                       .in = {type, type},
                       .range = {o, x},
                       .bench = bench});
    samples.push_back({.name = cat(F::name, "/with_gradient/", label),
                       .op = LossWithGradient<F>{.scale = 0.25},
                       .in = {type, type},
                       .range = {o, x},
                       .bench = bench});
  };
  add("1x37", {1, 37});
  add("37x1", {37, 1});
  add("5x1100", {5, 1100});
  add("3x5x7", {3, 5, 7});
  add("256x784", {256, 784}, true);
  const Type type{DType::f32, {3, 5, 7}};
  samples.push_back({.name = cat(F::name, "/gradient/rows"),
                     .op = LossGradient<F, 1, 0>{},
                     .in = {{DType::f32, {2, 3}}, type, type},
                     .range = {h, o, x}});
  samples.push_back({.name = cat(F::name, "/gradient/elements"),
                     .op = LossGradient<F, 1, 0>{.per_row = false},
                     .in = {{DType::f32, {2, 3, 5, 7}}, type, type},
                     .range = {h, o, x}});
  return samples;
}

template <class F>
struct RegisterLoss {
  RegisterLoss() {
    register_loss({.name = F::name,
                   .forward = RowLoss<F>{},
                   .gradient = LossGradient<F, 1, 0>{},
                   .with_gradient = [](double scale) -> AnyOp {
                     return LossWithGradient<F>{.scale = scale};
                   }});
  }
  const RegisterSamples samples{cat("loss/", F::name), loss_samples<F>};
};

}  // namespace latent
