// MaxCols: a running maximum of each column, for the share of units that never fire.
#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/skeleton/reduce_cols.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

template <class T>
struct LargerOf {
  const T* running;
  T* out;
  LATENT_HD void operator()(int64_t c, T value) const { out[c] = Max::combine(running[c], value); }
};

}  // namespace

std::vector<Type> MaxCols::infer(Types in) const {
  require_reals(name, in, 2);
  if (in[0].rank() != 2 || in[1].shape != Shape{in[0].dim(0)})
    throw op_error(name, "takes x [rows, d] and running [d]", in);
  return {in[1]};
}

Kernel MaxCols::prepare(const Signature& s, Device&) const {
  const int64_t rows = s.in[0].dim(1), cols = s.in[0].dim(0);
  const size_t workspace = s.in[0].dtype == DType::f64 ? reduce_cols_workspace<double>(rows, cols)
                                                       : reduce_cols_workspace<float>(rows, cols);
  return real_kernel(
      s.in[0].dtype,
      [rows, cols](const Args& args, auto real) {
        using T = decltype(real);
        reduce_cols(args.stream, rows, cols, Max{}, MatrixOf<T>{args.input<T>(0), cols},
                    LargerOf<T>{args.input<T>(1), args.output<T>(0)}, args.workspace);
      },
      workspace);
}

Var max_cols(Var x, Var running) { return apply(MaxCols{}, {x, running}); }

namespace {
const RegisterSamples samples{
    "structural/max_cols", [] {
      auto sample = [](int64_t rows, int64_t cols) {
        return Sample{.name = cat("max_cols/", rows, "x", cols),
                      .op = MaxCols{},
                      .in = {{DType::f32, {rows, cols}}, {DType::f32, {cols}}},
                      .order = 0};
      };
      return std::vector<Sample>{sample(1, 37), sample(37, 1), sample(33, 67), sample(1100, 5)};
    }};
}  // namespace

}  // namespace latent
