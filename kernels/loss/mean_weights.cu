// Weights for errors that are averaged: an unobserved element shall not count in the number of elements either.
#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/skeleton/reduce_map_rows.h"

namespace latent {
namespace {

template <class T>
struct IsObserved {
  const T* w;
  int64_t cols;
  LATENT_HD T operator()(int64_t r, int64_t c) const { return T(w[r * cols + c] != T(0)); }
};

struct StoreNothing {
  template <class A>
  LATENT_HD void operator()(int64_t, A) const {}
};

template <class T>
struct ShareOfRow {
  const T* w;
  T* out;
  int64_t cols;
  LATENT_HD void operator()(int64_t r, int64_t c, T observed) const {
    const int64_t at = r * cols + c;
    out[at] = w[at] * (T(cols) / math::max(observed, T(1)));
  }
};

/// w [rows, X...] -> w elements / (elements of the row whose w is not 0). No gradient flows.
struct MeanWeights {
  static constexpr const char* name = "mean_weights";
  std::vector<Type> infer(Types in) const {
    require_reals(name, in, 1);
    if (in[0].rank() == 0) throw op_error(name, "takes [rows, ...]", in);
    return {in[0]};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const int64_t rows = s.in[0].shape.front(), cols = rows ? s.in[0].elements() / rows : 0;
    return real_kernel(s.in[0].dtype, [rows, cols](const Args& a, auto real) {
      using T = decltype(real);
      reduce_map_rows(a.stream, rows, cols, Sum{}, IsObserved<T>{a.input<T>(0), cols},
                      StoreNothing{}, ShareOfRow<T>{a.input<T>(0), a.output<T>(0), cols});
    });
  }
  std::vector<Var> vjp(const Pullback& p) const { return std::vector<Var>(p.in.size()); }
  int overwrites(int) const { return 0; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 2); }
  bool operator==(const MeanWeights&) const = default;
};

const RegisterSamples samples{
    "loss/mean_weights", [] {
      const auto sample = [](std::string label, Shape shape, bool bench = false) {
        return Sample{.name = "mean_weights/" + label,
                      .op = MeanWeights{},
                      .in = {{DType::f32, shape}},
                      .order = 0,
                      .bench = bench};
      };
      return std::vector<Sample>{sample("1x37", {1, 37}), sample("37x1", {37, 1}),
                                 sample("3x1100", {3, 1100}), sample("3x5x7", {3, 5, 7}),
                                 sample("256x784", {256, 784}, true)};
    }};

}  // namespace

Var mean_weights(Var w) { return apply(MeanWeights{}, {w}); }

}  // namespace latent
