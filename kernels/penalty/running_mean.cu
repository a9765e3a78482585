#include "kernels/penalty/running_mean.h"

#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/real.h"
#include "kernels/skeleton/reduce_cols.h"

namespace latent {
namespace {

template <class T>
struct MoveMean {
  const T* running;
  const uint64_t* step;
  T *moved, *offset;
  T least, a_row;  ///< a row's share of the batch
  LATENT_HD void operator()(int64_t c, T sum) const {
    const T mean = a_row * sum, before = running[c];
    const T share = math::max(least, T(1) / (static_cast<T>(*step) + T(1)));
    const T after = before + share * (mean - before);
    moved[c] = after;
    offset[c] = after - mean;
  }
};

const RegisterSamples samples{
    "penalty/running_mean", [] {
      const auto sample = [](const std::string& size, Shape shape, uint64_t last_step,
                             bool bench = false) {
        const Type unit{DType::f32, {shape.begin() + 1, shape.end()}};
        const auto step = static_cast<double>(last_step);
        return Sample{.name = cat("running_mean/", size),
                      .op = RunningMean{},
                      .in = {{DType::f32, shape}, unit, {DType::u64, {1}}},
                      .range = {{0, 1}, {0, 1}, {step, step}},
                      .order = 0,
                      .bench = bench};
      };
      return std::vector<Sample>{sample("1x37", {1, 37}, 1), sample("37x1", {37, 1}, 5),
                                 sample("1100x3x5", {1100, 3, 5}, 1000),
                                 sample("256x1000", {256, 1000}, 7, true)};
    }};

}  // namespace

std::vector<Type> RunningMean::infer(Types in) const {
  if (in.size() != 3) throw op_error(name, "takes h, running and step", in);
  require_reals(name, in.first(2), 2);
  const Type& h = in[0];
  if (h.rank() < 2) throw op_error(name, "takes h [rows, units...]", in);
  const Type unit{h.dtype, {h.shape.begin() + 1, h.shape.end()}};
  if (in[1] != unit) throw op_error(name, cat("running must be ", to_string(unit)), in);
  if (in[2] != Type{DType::u64, {1}}) throw op_error(name, "step must be u64[1]", in);
  return {unit, unit};
}

Kernel RunningMean::prepare(const Signature& s, Device&) const {
  const int64_t rows = s.in[0].shape[0], cols = s.out[0].elements();
  const size_t workspace = s.in[0].dtype == DType::f64 ? reduce_cols_workspace<double>(rows, cols)
                                                       : reduce_cols_workspace<float>(rows, cols);
  return real_kernel(
      s.in[0].dtype,
      [rows, cols, least = least](const Args& a, auto real) {
        using T = decltype(real);
        reduce_cols(a.stream, rows, cols, Sum{}, MatrixOf<T>{a.input<T>(0), cols},
                    MoveMean<T>{a.input<T>(1), a.input<uint64_t>(2), a.output<T>(0), a.output<T>(1),
                                T(least), T(1 / static_cast<double>(rows))},
                    a.workspace);
      },
      workspace);
}

Cost RunningMean::cost(const Signature& s) const {
  Cost cost = streaming_cost(s, 0);
  cost.flops =
      static_cast<double>(s.in[0].elements()) + 8 * static_cast<double>(s.out[0].elements());
  cost.launches = reduce_cols_launches(s.in[0].shape[0]);
  return cost;
}

}  // namespace latent
