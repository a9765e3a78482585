// The ops made of one function F of one variable (kernels/functions.h), and its registration.
//
// Pointwise<F>         x      -> f(x)
// PointwiseGrad<F, K>  (g, x) -> g f^(K)(x), whose gradient is itself at K + 1; g may have extra
//                      leading axes
// OutputGrad<F>        (g, y) -> g f'(x), from y = f(x) alone; put into a graph by passes only
#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/conv/layer.h"
#include "kernels/functions.h"
#include "kernels/matmul/linear.h"
#include "kernels/ops.h"
#include "kernels/penalty/contractive.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/structural/structural.h"

namespace latent {

template <class F, class T>
struct MapBody {
  const T* x;
  T* y;
  LATENT_HD void operator()(int64_t i) const { y[i] = F::template d<0>(x[i]); }
};

/// out[row, i] = g[row, i] f^(K)(x[i]); for K = kOfOutput f' as a function of x[i], which is y
/// then.
inline constexpr int kOfOutput = -1;
template <class F, class T, int K>
struct GradBody {
  const T *g, *x;
  T* out;
  int64_t n;
  LATENT_HD T slope(T v) const {
    if constexpr (K == kOfOutput)
      return F::dy(v);
    else
      return F::template d<K>(v);
  }
  LATENT_HD void operator()(int64_t row, int64_t i) const {
    out[row * n + i] = g[row * n + i] * slope(x[i]);
  }
  LATENT_HD void operator()(int64_t i) const { out[i] = g[i] * slope(x[i]); }
};

template <class F, int K>
Kernel gradient_kernel(const Signature& s) {
  const int64_t n = s.in[1].elements(), rows = n ? s.in[0].elements() / n : 0;
  return real_kernel(s.in[0].dtype, [rows, n](const Args& a, auto real) {
    using T = decltype(real);
    const GradBody<F, T, K> body{a.input<T>(0), a.input<T>(1), a.output<T>(0), n};
    if (rows == 1)
      for_each(a.stream, n, body);
    else
      for_each_row(a.stream, rows, n, body);
  });
}

template <class F, int K>
struct PointwiseGrad {
  static inline const std::string name = cat(F::name, ".gradient", K);

  std::vector<Type> infer(Types in) const { return infer_gradient(name, in); }
  Kernel prepare(const Signature& s, Device&) const { return gradient_kernel<F, K>(s); }
  std::vector<Var> vjp(const Pullback& p) const {
    const Var g = p.in[0], x = p.in[1], c = p.cotangents[0];
    std::vector<Var> result(2);
    if (p.needs[0]) result[0] = apply(PointwiseGrad{}, {c, x});
    if (!p.needs[1]) return result;
    if constexpr (K < F::kOrder) {
      const Var sum = unbroadcast(mul(c, g), x.shape(), p.batch_axes);
      result[1] = apply(PointwiseGrad<F, K + 1>{}, {sum, x});
    } else if (!kVanishes<F>) {
      throw GraphError(cat(F::name, ": derivative ", K + 1, " is not given"));
    }
    return result;
  }
  int overwrites(int) const { return 0; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 2); }
  bool operator==(const PointwiseGrad&) const = default;
};

template <class F>
struct Pointwise {
  static constexpr const char* name = F::name;

  std::vector<Type> infer(Types in) const {
    require_reals(name, in, 1);
    return {in[0]};
  }
  Kernel prepare(const Signature& s, Device&) const {
    return real_kernel(s.in[0].dtype, [n = s.in[0].elements()](const Args& a, auto real) {
      using T = decltype(real);
      for_each(a.stream, n, MapBody<F, T>{a.input<T>(0), a.output<T>(0)});
    });
  }
  std::vector<Var> vjp(const Pullback& p) const {
    return {apply(PointwiseGrad<F, 1>{}, {p.cotangents[0], p.in[0]})};
  }
  int overwrites(int) const { return 0; }
  bool is_view() const { return std::is_same_v<F, Identity>; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 1); }
  bool operator==(const Pointwise&) const = default;
};

template <class F>
struct OutputGrad {
  static inline const std::string name = cat(F::name, ".output_gradient");

  std::vector<Type> infer(Types in) const { return infer_gradient(name, in); }
  Kernel prepare(const Signature& s, Device&) const { return gradient_kernel<F, kOfOutput>(s); }
  int overwrites(int) const { return 0; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 2); }
  bool operator==(const OutputGrad&) const = default;
};

/// Samples of Pointwise<F>, PointwiseGrad<F, K> and OutputGrad<F> at awkward sizes.
template <class F>
std::vector<Sample> pointwise_samples();

template <class F>
PointwiseFamily pointwise_family() {
  PointwiseFamily family;
  family.name = F::name;
  family.order = F::kOrder;
  family.forward = Pointwise<F>{};
  family.gradient = PointwiseGrad<F, 1>{};
  if constexpr (kFromOutput<F>) family.output_gradient = OutputGrad<F>{};
  if constexpr (requires { F::kLow; }) family.low = F::kLow;
  if constexpr (requires { F::kHigh; }) family.high = F::kHigh;
  return family;
}

/// A function as an op.
template <class F>
struct RegisterPointwise {
  RegisterPointwise() { register_pointwise(pointwise_family<F>()); }
  const RegisterSamples samples{cat("pointwise/", F::name), pointwise_samples<F>};
};

/// A function as an op, as a value of `activation:`, as a layer by its name, as the epilogue of
/// products, and in the closed form of the contractive penalty.
template <class F>
struct RegisterActivation {
  RegisterActivation() {
    PointwiseFamily family = pointwise_family<F>();
    family.activation = true;
    add_products<F>(family);
    add_contractive<F>(family);
    add_convolutions<F>(family);
    register_pointwise(std::move(family));
  }
  const RegisterSamples samples{cat("pointwise/", F::name), pointwise_samples<F>};
  const RegisterSamples contractive{cat("penalty/contractive/", F::name), contractive_samples<F>};
};

template <class F, int K>
void add_gradient_samples(std::vector<Sample>& samples) {
  const Sample::Range g{-1, 1}, x{F::lo, F::hi};
  const int order = kVanishes<F> ? 2 : F::kOrder - K;
  const std::vector<bool> wrt = order > 0 ? std::vector<bool>{} : std::vector<bool>{true, false};
  auto add = [&](std::string size, Shape batch, Shape shape) {
    Shape full = batch;
    full.insert(full.end(), shape.begin(), shape.end());
    samples.push_back({.name = cat(F::name, "/gradient", K, "/", size),
                       .op = PointwiseGrad<F, K>{},
                       .in = {{DType::f32, full}, {DType::f32, shape}},
                       .range = {g, x},
                       .order = order > 0 ? std::min(order, 2) : 2,
                       .wrt = wrt});
  };
  add("row", {}, {1, 37});
  add("column", {}, {37, 1});
  add("batched", {3}, {5, 7});
  if constexpr (K < F::kOrder) add_gradient_samples<F, K + 1>(samples);
}

template <class F>
std::vector<Sample> pointwise_samples() {
  std::vector<Sample> samples;
  for (const Shape& shape : {Shape{}, Shape{1, 37}, Shape{37, 1}, Shape{33, 67}, Shape{256, 784}})
    samples.push_back({.name = cat(F::name, "/", to_string(shape)),
                       .op = Pointwise<F>{},
                       .in = {{DType::f32, shape}},
                       .range = {{F::lo, F::hi}},
                       .bench = shape == Shape{256, 784}});
  add_gradient_samples<F, 1>(samples);
  if constexpr (kFromOutput<F>)
    samples.push_back({.name = cat(F::name, "/output_gradient"),
                       .op = OutputGrad<F>{},
                       .in = {{DType::f32, {3, 5, 7}}, {DType::f32, {5, 7}}},
                       .order = 0});
  return samples;
}

}  // namespace latent
