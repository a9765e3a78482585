// Greater: where a value exceeds a threshold, as ones and zeros.
#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

template <class T>
struct GreaterBody {
  const T* x;
  T* y;
  T threshold;
  LATENT_HD void operator()(int64_t i) const { y[i] = T(x[i] > threshold); }
};

}  // namespace

std::vector<Type> Greater::infer(Types in) const {
  require_reals(name, in, 1);
  return {in[0]};
}

Kernel Greater::prepare(const Signature& s, Device&) const {
  return real_kernel(s.in[0].dtype, [n = s.in[0].elements(), op = *this](const Args& args,
                                                                         auto real) {
    using T = decltype(real);
    for_each(args.stream, n, GreaterBody<T>{args.input<T>(0), args.output<T>(0), T(op.threshold)});
  });
}

Var greater(Var x, double threshold) { return apply(Greater{threshold}, {x}); }

namespace {
const RegisterSamples samples{
    "structural/greater", [] {
      return std::vector<Sample>{
          {.name = "greater/5x37", .op = Greater{0.25}, .in = {{DType::f32, {5, 37}}}, .order = 0},
      };
    }};
}  // namespace

}  // namespace latent
