// The squared Frobenius norm of one layer's Jacobian in closed form (Rifai et al., ICML 2011, eq. 4, for any pointwise
// f): with h = f(a), a = x W' + b, ||dh/dx||^2 = sum_j f'(a_j)^2 ||W_j||^2. For .cu files only: others reach these ops
// through a PointwiseFamily.
//
// Contractive<F, kOutput>          (v [rows, J], norms [J]) -> [rows], norms_j = ||W_j||^2
// ContractiveGradient<F, kOutput>  (c [..., rows], v, norms) -> of norms [..., J] and, where f'' is not zero everywhere,
//                                  of a [..., rows, J]: both in one pass over v
//
// v is a, or with kOutput y = f(a), which lets a go; passes put those in. The norms are sum_squares(W), whose own gradient
// spreads that of the norms over W.
#pragma once

#include <string>
#include <vector>

#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/functions.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/skeleton/reduce_cols.h"
#include "kernels/skeleton/reduce_rows.h"

namespace latent {

/// Whether f'' is not zero everywhere.
template <class F>
inline constexpr bool kBends = F::kOrder >= 2;

/// Whether f' and f'' can be had from y = f(a) alone.
template <class F>
inline constexpr bool kBendsFromOutput = kFromOutput<F> && (!kBends<F> || requires(float y) {
                                           { F::ddy(y) } -> std::same_as<float>;
                                         });

/// Checks, types and references that need no F.
std::vector<Type> infer_contractive(std::string_view op, Types in);
std::vector<Type> infer_contractive_gradient(std::string_view op, Types in, bool bends);
std::vector<Var> contractive_reference(std::string_view function, std::span<const Var> in,
                                       bool from_output);
std::vector<Var> contractive_gradient_reference(std::string_view function, std::span<const Var> in,
                                                bool bends);
Cost contractive_gradient_cost(const Signature& s);
std::vector<Sample> contractive_samples(const PointwiseFamily& family, int order);

/// f' and f'' of a unit, from v.
template <class F, bool kOutput>
struct Slopes {
  template <class T>
  static LATENT_HD T first(T v) {
    if constexpr (kOutput)
      return F::dy(v);
    else
      return F::template d<1>(v);
  }
  template <class T>
  static LATENT_HD T second(T v) {
    if constexpr (!kBends<F>)
      return T(0);
    else if constexpr (kOutput)
      return F::ddy(v);
    else
      return F::template d<2>(v);
  }
};

template <class F, class T, bool kOutput>
struct SlopeByNorm {
  const T *v, *norms;
  int64_t cols;
  LATENT_HD T operator()(int64_t r, int64_t c) const {
    const T slope = Slopes<F, kOutput>::first(v[r * cols + c]);
    return slope * slope * norms[c];
  }
};

/// c f'^2, whose sums over rows are the gradient of the norms, leaving da = 2 c f' f'' norm on the way.
template <class F, class T, bool kOutput>
struct WeightedSlope {
  const T *c, *v, *norms;
  T* da;
  int64_t cols;
  LATENT_HD T operator()(int64_t r, int64_t j) const {
    const T value = v[r * cols + j], slope = Slopes<F, kOutput>::first(value);
    const T weighted = c[r] * slope;
    if constexpr (kBends<F>)
      da[r * cols + j] = T(2) * weighted * Slopes<F, kOutput>::second(value) * norms[j];
    return weighted * slope;
  }
};

template <class F, bool kOutput>
struct ContractiveGradient {
  static inline const std::string name =
      cat("contractive.", F::name, kOutput ? ".output_gradient" : ".gradient");

  std::vector<Type> infer(Types in) const {
    return infer_contractive_gradient(name, in, kBends<F>);
  }
  Kernel prepare(const Signature& s, Device&) const {
    return s.in[0].dtype == DType::f64 ? kernel<double>(s) : kernel<float>(s);
  }
  std::vector<Var> reference(std::span<const Var> in) const requires(!kOutput) {
    return contractive_gradient_reference(F::name, in, kBends<F>);
  }
  Cost cost(const Signature& s) const { return contractive_gradient_cost(s); }
  bool operator==(const ContractiveGradient&) const = default;

 private:
  template <class T>
  static Kernel kernel(const Signature& s) {
    const int64_t rows = s.in[1].shape[0], units = s.in[1].shape[1];
    const int64_t batch = rows ? s.in[0].elements() / rows : 0;
    return {.run =
                [=](const Args& a) {
                  for (int64_t b = 0; b < batch; ++b) {
                    T* da = kBends<F> ? a.output<T>(1) + b * rows * units : nullptr;
                    reduce_cols(
                        a.stream, rows, units, Sum{},
                        WeightedSlope<F, T, kOutput>{a.input<T>(0) + b * rows, a.input<T>(1),
                                                     a.input<T>(2), da, units},
                        skeleton::Store<T>{a.output<T>(0) + b * units}, a.workspace);
                  }
                },
            .workspace = reduce_cols_workspace<T>(rows, units)};
  }
};

template <class F, bool kOutput>
struct Contractive {
  static inline const std::string name =
      cat("contractive.", F::name, kOutput ? ".from_output" : "");

  std::vector<Type> infer(Types in) const { return infer_contractive(name, in); }
  Kernel prepare(const Signature& s, Device&) const {
    const int64_t rows = s.in[0].shape[0], units = s.in[0].shape[1];
    return real_kernel(s.in[0].dtype, [=](const Args& a, auto real) {
      using T = decltype(real);
      reduce_rows(a.stream, rows, units, Sum{},
                  SlopeByNorm<F, T, kOutput>{a.input<T>(0), a.input<T>(1), units},
                  skeleton::Store<T>{a.output<T>(0)});
    });
  }
  std::vector<Var> vjp(const Pullback& p) const requires(!kOutput) {
    const std::vector<Var> in{p.cotangents[0], p.in[0], p.in[1]};
    const std::vector<Var> g = apply_all(ContractiveGradient<F, false>{}, in);
    return {g.size() > 1 ? g[1] : Var{}, g[0]};
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    return contractive_reference(F::name, in, kOutput);
  }
  Cost cost(const Signature& s) const {
    return streaming_cost(s, 6 * static_cast<double>(s.in[1].elements()));
  }
  bool operator==(const Contractive&) const = default;
};

/// Puts the ops of an activation into its family.
template <class F>
void add_contractive(PointwiseFamily& family) {
  family.contractive = Contractive<F, false>{};
  family.contractive_gradient = ContractiveGradient<F, false>{};
  if constexpr (kBendsFromOutput<F>) {
    family.contractive_from_output = Contractive<F, true>{};
    family.contractive_gradient_from_output = ContractiveGradient<F, true>{};
  }
}

template <class F>
std::vector<Sample> contractive_samples() {
  PointwiseFamily family;
  family.name = F::name;
  add_contractive<F>(family);
  return contractive_samples(family, kVanishes<F> ? 2 : std::min(2, F::kOrder - 1));
}

}  // namespace latent
