// The factor that clips a gradient by its norm.
#include "kernels/optimizer/samples.h"
#include "kernels/real.h"
#include "kernels/skeleton/skeleton.h"

namespace latent {
namespace {

template <class T>
struct Square {
  const T* g;
  LATENT_HD T operator()(int64_t i) const { return g[i] * g[i]; }
};

template <class T>
struct FactorOf {
  T max_norm;
  T* out;
  LATENT_HD void operator()(T squares) const {
    out[0] = math::min(T(1), max_norm / (math::sqrt(squares) + T(1e-6)));
  }
};

const RegisterSamples samples{"optimizer/clip_factor", [] {
                                const auto sample = [](int64_t n, double max_norm) {
                                  return Sample{.name = cat("clip_factor/", n),
                                                .op = ClipFactor{max_norm},
                                                .in = {{DType::f32, {n}}},
                                                .order = 0,
                                                .bench = n == 2837312};
                                };
                                return std::vector<Sample>{sample(1, 10), sample(777, 1),
                                                           sample(70000, 1), sample(2837312, 1)};
                              }};

}  // namespace

std::vector<Type> ClipFactor::infer(Types in) const {
  require_reals(name, in, 1);
  return {{in[0].dtype, {1}}};
}

Kernel ClipFactor::prepare(const Signature& s, Device&) const {
  const int64_t n = s.in[0].elements();
  const size_t workspace = s.in[0].dtype == DType::f64 ? reduce_all_workspace<double>(n)
                                                       : reduce_all_workspace<float>(n);
  return real_kernel(
      s.in[0].dtype,
      [n, max_norm = max_norm](const Args& a, auto real) {
        using T = decltype(real);
        reduce_all(a.stream, n, Sum{}, Square<T>{a.input<T>(0)},
                   FactorOf<T>{static_cast<T>(max_norm), a.output<T>(0)}, a.workspace);
      },
      workspace);
}

Cost ClipFactor::cost(const Signature& s) const {
  const int64_t n = s.in[0].elements();
  return {.flops = 2.0 * static_cast<double>(n),
          .bytes = static_cast<double>(s.in[0].bytes()),
          .launches = reduce_all_launches(n)};
}

}  // namespace latent
