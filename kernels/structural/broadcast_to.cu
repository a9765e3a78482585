// BroadcastTo: repetition along axes of size 1 and along missing ones.
#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/structural/broadcast.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

struct First {
  template <class T>
  static LATENT_HD T apply(T a, T) {
    return a;
  }
};

}  // namespace

std::vector<Type> BroadcastTo::infer(Types in) const {
  require_reals(name, in, 1);
  if (broadcast_shapes(name, std::vector<Type>{in[0], {in[0].dtype, shape}}) != shape)
    throw op_error(name, "does not fit into " + to_string(shape), in);
  return {{in[0].dtype, shape}};
}

Kernel BroadcastTo::prepare(const Signature& s, Device&) const {
  const Walk walk = make_walk(name, s.in[0], s.in[0], s.out[0]);
  return real_kernel(s.in[0].dtype, [walk](const Args& args, auto real) {
    using T = decltype(real);
    const T* in = args.input<T>(0);
    if (walk.a[0] == 0)
      broadcast_strided<First, 0, 0>(args.stream, walk, in, in, args.output<T>(0));
    else
      broadcast_strided<First, 1, 1>(args.stream, walk, in, in, args.output<T>(0));
  });
}

std::vector<Var> BroadcastTo::vjp(const Pullback& p) const {
  return {p.cotangents[0]};  // autodiff sums what was repeated
}

Var broadcast_to(Var x, const Shape& shape) {
  return x.shape() == shape ? x : apply(BroadcastTo{shape}, {x});
}

namespace {
const RegisterSamples samples{
    "structural/broadcast_to", [] {
      return std::vector<Sample>{
          {.name = "broadcast_to/scalar", .op = BroadcastTo{{3, 37}}, .in = {{DType::f32, {}}}},
          {.name = "broadcast_to/row", .op = BroadcastTo{{5, 37}}, .in = {{DType::f32, {37}}}},
          {.name = "broadcast_to/column", .op = BroadcastTo{{5, 37}}, .in = {{DType::f32, {5, 1}}}},
          {.name = "broadcast_to/deep",
           .op = BroadcastTo{{2, 3, 4, 5}},
           .in = {{DType::f32, {3, 1, 5}}}},
          {.name = "broadcast_to/256x784",
           .op = BroadcastTo{{256, 784}},
           .in = {{DType::f32, {256, 1}}},
           .bench = true},
      };
    }};
}  // namespace

}  // namespace latent
