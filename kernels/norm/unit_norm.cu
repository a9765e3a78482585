#include "kernels/norm/unit_norm.h"

#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/norm/reduce_map.h"
#include "kernels/real.h"

namespace latent {
namespace {

template <class T>
struct UnitNormBody {
  const uint64_t* latch;
  const T* x;
  T* y;
  int64_t cols;

  LATENT_HD Sums<T, 1> term(int64_t r, int64_t c) const {
    const T v = x[r * cols + c];
    return {{v * v}};
  }
  LATENT_HD T finish(int64_t, const Sums<T, 1>& a) const {
    return *latch == 0 && a.v[0] > T(0) ? math::rsqrt(a.v[0]) : T(1);
  }
  LATENT_HD void keep(int64_t, T) const {}
  LATENT_HD void map(int64_t r, int64_t c, T scale) const {
    y[r * cols + c] = x[r * cols + c] * scale;
  }
};

template <class T>
size_t workspace_of(const std::vector<UnitNorm::Matrix>& matrices) {
  size_t most = 0;
  for (const auto& m : matrices)
    if (m.columns) most = std::max(most, reduce_map_cols_workspace<Sums<T, 1>>(m.rows, m.cols));
  return most;
}

const RegisterSamples samples{"norm/unit_norm", [] {
                                const auto sample = [](std::string label,
                                                       std::vector<UnitNorm::Matrix> matrices,
                                                       int64_t n, bool bench = false) {
                                  return Sample{.name = "unit_norm/" + label,
                                                .op = UnitNorm{std::move(matrices)},
                                                .in = {{DType::u64, {1}}, {DType::f32, {n}}},
                                                .range = {{0, 0}, {-1, 1}},
                                                .order = 0,
                                                .bench = bench};
                                };
                                return std::vector<Sample>{
                                    sample("rows", {{64, 7, 33, false}}, 320),
                                    sample("columns", {{64, 7, 33, true}}, 320),
                                    sample("both", {{0, 1, 37, false}, {64, 1100, 3, true}}, 3400),
                                    sample("784x1000", {{0, 784, 1000, true}}, 784000, true),
                                };
                              }};

}  // namespace

std::vector<Type> UnitNorm::infer(Types in) const {
  if (in.size() != 2 || in[0] != Type{DType::u64, {1}})
    throw op_error(name, "takes latch u64[1] and p", in);
  require_reals(name, in.subspan(1), 1);
  for (const Matrix& m : matrices)
    if (m.offset < 0 || m.offset + m.rows * m.cols > in[1].elements())
      throw op_error(name, "a matrix lies outside of p", in);
  return {in[1]};
}

Kernel UnitNorm::prepare(const Signature& s, Device&) const {
  const size_t bytes = s.in[1].bytes();
  return real_kernel(
      s.in[1].dtype,
      [matrices = matrices, bytes](const Args& a, auto real) {
        using T = decltype(real);
        const auto* latch = a.input<uint64_t>(0);
        const T* in = a.input<T>(1);
        T* out = a.output<T>(0);
        if (in != out) a.stream.device->copy(a.stream, out, in, bytes);
        for (const Matrix& m : matrices) {
          const T* x = in + m.offset;
          T* y = out + m.offset;
          if (m.columns)
            reduce_map_cols(a.stream, m.rows, m.cols, UnitNormBody<T>{latch, x, y, m.cols},
                            a.workspace);
          else
            reduce_map_rows(a.stream, m.rows, m.cols, UnitNormBody<T>{latch, x, y, m.cols});
        }
      },
      s.in[1].dtype == DType::f64 ? workspace_of<double>(matrices) : workspace_of<float>(matrices));
}

Cost UnitNorm::cost(const Signature& s) const {
  Cost cost{.flops = 0, .bytes = 0, .launches = 0};
  for (const Matrix& m : matrices) {
    const double n = static_cast<double>(m.rows) * static_cast<double>(m.cols);
    cost.flops += 3 * n;
    cost.bytes += 2 * n * static_cast<double>(size_of(s.in[1].dtype));
    cost.launches += m.columns ? reduce_map_cols_launches(m.rows) : 1;
  }
  return cost;
}

}  // namespace latent
