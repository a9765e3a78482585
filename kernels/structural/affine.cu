// Affine: a x + b, rounded once.
#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

template <class T>
struct AffineBody {
  const T* x;
  T* y;
  T a, b;
  LATENT_HD void operator()(int64_t i) const { y[i] = math::fma(a, x[i], b); }
};

}  // namespace

std::vector<Type> Affine::infer(Types in) const {
  require_reals(name, in, 1);
  return {in[0]};
}

Kernel Affine::prepare(const Signature& s, Device&) const {
  return real_kernel(s.in[0].dtype, [n = s.in[0].elements(), op = *this](const Args& args,
                                                                         auto real) {
    using T = decltype(real);
    for_each(args.stream, n, AffineBody<T>{args.input<T>(0), args.output<T>(0), T(op.a), T(op.b)});
  });
}

std::vector<Var> Affine::vjp(const Pullback& p) const { return {affine(p.cotangents[0], a, 0)}; }

Var affine(Var x, double a, double b) {
  return a == 1 && b == 0 ? x : apply(Affine{.a = a, .b = b}, {x});
}

namespace {
const RegisterSamples samples{
    "structural/affine", [] {
      return std::vector<Sample>{
          {.name = "affine/37", .op = Affine{-2.5, 0.75}, .in = {{DType::f32, {37}}}},
          {.name = "affine/256x784",
           .op = Affine{0.5, 1},
           .in = {{DType::f32, {256, 784}}},
           .bench = true},
      };
    }};
}  // namespace

}  // namespace latent
