// The ops made of one penalty F: a number a unit from an activation h, added up in a row.
//
//   struct Absolute {
//     static constexpr const char* name = "l1";
//     static constexpr int kOrder = 1;         // highest K below
//     static constexpr bool kVanishes = true;  // derivatives beyond kOrder are zero
//     template <int K, class T>
//     static LATENT_HD T d(T h, T p);          // the K-th derivative; p is the op's parameter
//     static Var reference(Var h, double p);   // unit by unit, in graph ops
//   };
//
// RowPenalty<F>              h      -> [rows]
// RowPenaltyGradient<F, K>   (g, h) -> g f^(K)(h), whose gradient is itself at K + 1; a pass may have it add
//                            a third input
// RowPenaltyWithGradient<F>  h      -> RowPenalty and its gradient for a constant cotangent, in one
//                                      pass over memory; put into a graph by a pass
#pragma once

#include <string>
#include <vector>

#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/adding.h"
#include "kernels/functions.h"
#include "kernels/loss/family.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/skeleton/reduce_rows.h"
#include "kernels/structural/structural.h"

namespace latent {

/// h [rows, units...]; throws the op's error on anything else.
void require_units(std::string_view op, Types in, const Type& h);
/// The type of g f'(h) for g [..., rows] (per_row) or [..., rows, units...].
std::vector<Type> infer_row_gradient(std::string_view op, Types in, bool per_row, bool adds);
/// All axes of h but its rows.
std::vector<int> unit_axes(Var h);

struct Units {
  int64_t rows = 0, cols = 0;
};
inline Units units_of(const Type& h) {
  return {h.shape.front(), h.elements() / std::max<int64_t>(1, h.shape.front())};
}

template <class F, class T>
struct PenaltyBody {
  const T* h;
  T p;
  int64_t cols;
  LATENT_HD T operator()(int64_t r, int64_t c) const {
    return F::template d<0>(h[r * cols + c], p);
  }
};

/// The penalty, leaving its gradient on the way.
template <class F, class T>
struct PenaltyWithGradientBody {
  const T* h;
  T* gradient;
  T p, scale;
  int64_t cols;
  LATENT_HD T operator()(int64_t r, int64_t c) const {
    const T value = h[r * cols + c];
    gradient[r * cols + c] = scale * F::template d<1>(value, p);
    return F::template d<0>(value, p);
  }
};

template <class T>
struct StorePenalty {
  T* out;
  LATENT_HD void operator()(int64_t r, T sum) const { out[r] = sum; }
};

template <class F, class T, int K, bool kPerRow, bool kAdds>
struct PenaltyGradientBody {
  const T *g, *h, *more;
  T* out;
  T p;
  int64_t rows, cols;  ///< of h; g has a multiple of the rows
  LATENT_HD void operator()(int64_t r, int64_t c) const {
    const int64_t at = r * cols + c;
    const T value = g[kPerRow ? r : at] * F::template d<K>(h[(r % rows) * cols + c], p);
    out[at] = kAdds ? value + more[at] : value;
  }
};

template <class F, int K>
struct RowPenaltyGradient {
  static inline const std::string name = cat(F::name, ".gradient", K);
  double p = 1;
  bool per_row = true;  ///< g is [..., rows], else [..., rows, units...]; leading axes are extra
  bool adds = false;    ///< a third input as the output is added

  std::vector<Type> infer(Types in) const { return infer_row_gradient(name, in, per_row, adds); }
  Kernel prepare(const Signature& s, Device&) const {
    if (adds) return per_row ? kernel<true, true>(s) : kernel<false, true>(s);
    return per_row ? kernel<true, false>(s) : kernel<false, false>(s);
  }
  std::vector<Var> vjp(const Pullback& q) const {
    const Var g = q.in[0], h = q.in[1], c = q.cotangents[0];
    std::vector<Var> result(q.in.size());
    if (adds) result[2] = c;
    if (q.needs[0]) {
      result[0] = apply(RowPenaltyGradient{.p = p, .per_row = false}, {c, h});
      if (per_row) result[0] = sum_axes(result[0], unit_axes(h), false);
    }
    if (!q.needs[1]) return result;
    if constexpr (K < F::kOrder) {
      Shape wide = g.shape();
      if (per_row) wide.resize(wide.size() + unit_axes(h).size(), 1);
      const Var sum = unbroadcast(mul(c, reshape(g, wide)), h.shape(), q.batch_axes);
      result[1] = apply(RowPenaltyGradient<F, K + 1>{.p = p, .per_row = false}, {sum, h});
    } else if (!kVanishes<F>) {
      throw GraphError(cat(F::name, ": derivative ", K + 1, " is not given"));
    }
    return result;
  }
  int overwrites(int) const { return adds ? 2 : per_row ? 1 : 0; }
  Cost cost(const Signature& s) const { return streaming_cost(s, adds ? 3 : 2); }
  bool operator==(const RowPenaltyGradient&) const = default;

 private:
  template <bool kPerRow, bool kAdds>
  Kernel kernel(const Signature& s) const {
    const Units u = units_of(s.in[1]);
    const int64_t rows = u.cols ? s.out[0].elements() / u.cols : 0;
    return real_kernel(s.in[1].dtype, [u, rows, p = p](const Args& a, auto real) {
      using T = decltype(real);
      for_each_row(a.stream, rows, u.cols,
                   PenaltyGradientBody<F, T, K, kPerRow, kAdds>{
                       a.input<T>(0), a.input<T>(1), kAdds ? a.input<T>(2) : nullptr,
                       a.output<T>(0), T(p), u.rows, u.cols});
    });
  }
};

template <class F>
struct RowPenaltyWithGradient;

template <class F>
struct RowPenalty {
  static constexpr const char* name = F::name;
  double p = 1;

  RowPenaltyGradient<F, 1> gradient() const { return {.p = p}; }
  RowPenaltyWithGradient<F> with_gradient(double scale) const { return {.p = p, .scale = scale}; }

  std::vector<Type> infer(Types in) const {
    require_reals(name, in, 1);
    require_units(name, in, in[0]);
    return {{in[0].dtype, {in[0].shape.front()}}};
  }
  Kernel prepare(const Signature& s, Device&) const {
    return real_kernel(s.in[0].dtype, [u = units_of(s.in[0]), p = p](const Args& a, auto real) {
      using T = decltype(real);
      reduce_rows(a.stream, u.rows, u.cols, Sum{}, PenaltyBody<F, T>{a.input<T>(0), T(p), u.cols},
                  StorePenalty<T>{a.output<T>(0)});
    });
  }
  std::vector<Var> vjp(const Pullback& q) const {
    return {apply(gradient(), {q.cotangents[0], q.in[0]})};
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    return {sum_rows(F::reference(in[0], p))};
  }
  Cost cost(const Signature& s) const {
    return streaming_cost(s, 2 * static_cast<double>(units_of(s.in[0]).cols));
  }
  bool operator==(const RowPenalty&) const = default;
};

template <class F>
struct RowPenaltyWithGradient {
  static inline const std::string name = cat(F::name, ".with_gradient");
  double p = 1;
  double scale = 1;  ///< of the gradient: the cotangent of every row

  std::vector<Type> infer(Types in) const { return {RowPenalty<F>{}.infer(in).front(), in[0]}; }
  Kernel prepare(const Signature& s, Device&) const {
    const Units u = units_of(s.in[0]);
    return real_kernel(s.in[0].dtype, [u, p = p, scale = scale](const Args& a, auto real) {
      using T = decltype(real);
      reduce_rows(
          a.stream, u.rows, u.cols, Sum{},
          PenaltyWithGradientBody<F, T>{a.input<T>(0), a.output<T>(1), T(p), T(scale), u.cols},
          StorePenalty<T>{a.output<T>(0)});
    });
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Var rows = apply(RowPenalty<F>{.p = p}, {in[0]});
    return {rows, apply(RowPenaltyGradient<F, 1>{.p = p}, {fill_like(rows, scale), in[0]})};
  }
  int overwrites(int output) const { return output == 1 ? 0 : -1; }
  Cost cost(const Signature& s) const {
    return streaming_cost(s, 4 * static_cast<double>(units_of(s.in[0]).cols));
  }
  bool operator==(const RowPenaltyWithGradient&) const = default;
};

/// Makes the passes know it.
template <class F>
struct RegisterRowPenalty {
  const RegisterLossOps<RowPenalty<F>> loss;
  const RegisterAdding<RowPenaltyGradient<F, 1>> gradient;
};

/// Samples at awkward sizes; `h`: where activations are drawn, away from where f has no derivative.
template <class F>
std::vector<Sample> row_penalty_samples(const std::string& label, double p, Sample::Range h) {
  std::vector<Sample> samples;
  auto add = [&](std::string size, Shape shape, bool bench = false) {
    const Type type{DType::f32, shape};
    samples.push_back({.name = cat(label, "/", size),
                       .op = RowPenalty<F>{.p = p},
                       .in = {type},
                       .range = {h},
                       .bench = bench});
    samples.push_back({.name = cat(label, "/with_gradient/", size),
                       .op = RowPenaltyWithGradient<F>{.p = p, .scale = 0.25},
                       .in = {type},
                       .range = {h},
                       .bench = bench});
  };
  add("1x37", {1, 37});
  add("37x1", {37, 1});
  add("5x1100", {5, 1100});
  add("3x5x7", {3, 5, 7});
  add("256x1000", {256, 1000}, true);
  const Type type{DType::f32, {3, 5, 7}};
  const Sample::Range g{-1, 1};
  samples.push_back({.name = cat(label, "/gradient/rows"),
                     .op = RowPenaltyGradient<F, 1>{.p = p},
                     .in = {{DType::f32, {2, 3}}, type},
                     .range = {g, h}});
  samples.push_back({.name = cat(label, "/gradient/units"),
                     .op = RowPenaltyGradient<F, 1>{.p = p, .per_row = false},
                     .in = {{DType::f32, {2, 3, 5, 7}}, type},
                     .range = {g, h}});
  samples.push_back({.name = cat(label, "/gradient/adds"),
                     .op = RowPenaltyGradient<F, 1>{.p = p, .adds = true},
                     .in = {{DType::f32, {2, 3}}, type, {DType::f32, {2, 3, 5, 7}}},
                     .range = {g, h, g}});
  samples.push_back({.name = cat(label, "/gradient/256x1000"),
                     .op = RowPenaltyGradient<F, 1>{.p = p},
                     .in = {{DType::f32, {256}}, {DType::f32, {256, 1000}}},
                     .range = {g, h},
                     .bench = true});
  return samples;
}

}  // namespace latent
