// Rows brought to Euclidean norm 1, and the gradient.
//
//   y = x / sqrt(|x|^2 + 1e-24),   dx = (g - y (g . y)) / sqrt(|x|^2 + 1e-24)
// To rounding PyTorch's x / max(|x|, 1e-12), but smooth: a row of zeros stays one, and so do its
// derivatives.
#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/norm/norm.h"
#include "kernels/norm/reduce_map.h"
#include "kernels/ops.h"
#include "kernels/real.h"

namespace latent {
namespace {

constexpr double kTiny = 1e-24;

template <class T>
struct NormalizeBody {
  const T* x;
  T* y;
  int64_t cols;

  LATENT_HD Sums<T, 1> term(int64_t r, int64_t c) const {
    const T v = x[r * cols + c];
    return {{v * v}};
  }
  LATENT_HD T finish(int64_t, const Sums<T, 1>& a) const { return math::rsqrt(a.v[0] + T(kTiny)); }
  LATENT_HD void keep(int64_t, T) const {}
  LATENT_HD void map(int64_t r, int64_t c, T scale) const {
    y[r * cols + c] = x[r * cols + c] * scale;
  }
};

/// Row r of g belongs to row r % rows of x.
template <class T>
struct NormalizeGradientBody {
  const T *g, *x;
  T* dx;
  int64_t rows, cols;

  struct Numbers {
    T scale, along;  ///< dx = scale (g - along x)
  };
  LATENT_HD Sums<T, 2> term(int64_t r, int64_t c) const {
    const T v = x[r % rows * cols + c];
    return {{v * v, v * g[r * cols + c]}};
  }
  LATENT_HD Numbers finish(int64_t, const Sums<T, 2>& a) const {
    const T squares = a.v[0] + T(kTiny);
    return {math::rsqrt(squares), a.v[1] / squares};
  }
  LATENT_HD void keep(int64_t, const Numbers&) const {}
  LATENT_HD void map(int64_t r, int64_t c, const Numbers& v) const {
    dx[r * cols + c] = v.scale * (g[r * cols + c] - v.along * x[r % rows * cols + c]);
  }
};

Var inverse_norm(Var x) {
  return reciprocal(sqrt(sum_axes(square(x), std::vector{0}, true) + kTiny));
}

struct NormalizeGradient {
  static constexpr const char* name = "normalize.gradient";

  /// (g [..., x...], x) -> as g
  std::vector<Type> infer(Types in) const {
    require_reals(name, in, 2);
    leading_axes(name, in, in[0], in[1]);
    return {in[0]};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const NormShape n = norm_shape(s.in[0], s.in[1]);
    return real_kernel(s.in[0].dtype, [n](const Args& a, auto real) {
      using T = decltype(real);
      reduce_map_rows(
          a.stream, n.batch * n.rows, n.cols,
          NormalizeGradientBody<T>{a.input<T>(0), a.input<T>(1), a.output<T>(0), n.rows, n.cols});
    });
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Var scale = inverse_norm(in[1]), y = in[1] * scale;
    return {scale * (in[0] - y * sum_axes(in[0] * y, std::vector{0}, true))};
  }
  Cost cost(const Signature& s) const { return streaming_cost(s, 7); }
  bool operator==(const NormalizeGradient&) const = default;
};

struct Normalize {
  static constexpr const char* name = "normalize";

  std::vector<Type> infer(Types in) const {
    require_norm_types(name, in, 0);
    return {in[0]};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const NormShape n = norm_shape(s.in[0]);
    return real_kernel(s.in[0].dtype, [n](const Args& a, auto real) {
      using T = decltype(real);
      reduce_map_rows(a.stream, n.rows, n.cols,
                      NormalizeBody<T>{a.input<T>(0), a.output<T>(0), n.cols});
    });
  }
  std::vector<Var> vjp(const Pullback& p) const {
    return {apply(NormalizeGradient{}, {p.cotangents[0], p.in[0]})};
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    return {in[0] * inverse_norm(in[0])};
  }
  Cost cost(const Signature& s) const { return streaming_cost(s, 3); }
  bool operator==(const Normalize&) const = default;
};

const RegisterSamples samples{
    "norm/normalize", [] {
      std::vector<Sample> all;
      const auto add = [&](const Shape& shape, bool bench = false) {
        const Type x{DType::f32, shape};
        all.push_back({.name = cat("normalize/", to_string(shape)),
                       .op = Normalize{},
                       .in = {x},
                       .range = {{0.1, 1}},
                       .bench = bench});
        all.push_back({.name = cat("normalize/gradient/", to_string(shape)),
                       .op = NormalizeGradient{},
                       .in = {x, x},
                       .range = {{-1, 1}, {0.1, 1}},
                       .bench = bench});
      };
      add({37});
      add({1, 37});
      add({37, 2});
      add({5, 1100});
      add({3, 5, 7});
      add({256, 784}, true);
      all.push_back({.name = "normalize/gradient/batched",
                     .op = NormalizeGradient{},
                     .in = {{DType::f32, {2, 3, 7}}, {DType::f32, {3, 7}}},
                     .range = {{-1, 1}, {0.1, 1}}});
      return all;
    }};

}  // namespace

Var normalize(Var x) { return apply(Normalize{}, {x}); }

}  // namespace latent
