// Reshape: the same memory under another shape.
#include <algorithm>

#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/structural/structural.h"

namespace latent {

std::vector<Type> Reshape::infer(Types in) const {
  if (in.size() != 1) throw op_error(name, "takes one input", in);
  if (elements(shape) != in[0].elements())
    throw op_error(name, "another number of elements in " + to_string(shape), in);
  return {{in[0].dtype, shape}};
}

Kernel Reshape::prepare(const Signature& s, Device&) const {
  const size_t bytes = s.out[0].bytes();
  // Only where the view could not be had: an executor that knows views never runs this.
  return {.run = [bytes](const Args& a) {
    if (a.out[0] != a.in[0]) a.stream.device->copy(a.stream, a.out[0], a.in[0], bytes);
  }};
}

std::vector<Var> Reshape::vjp(const Pullback& p) const {
  const Var c = p.cotangents[0];
  return {reshape(c, with_batch(c, p.batch_axes, p.in[0].shape()))};
}

Var reshape(Var x, const Shape& shape) {
  Shape full = shape;
  if (auto open = std::ranges::find(full, -1); open != full.end()) {
    *open = 1;
    const int64_t rest = elements(full);
    *open = rest > 0 ? x.type().elements() / rest : 0;
  }
  if (full == x.shape()) return x;
  return apply(Reshape{full}, {x});
}

namespace {
const RegisterSamples samples{
    "structural/reshape", [] {
      return std::vector<Sample>{
          {.name = "reshape/split", .op = Reshape{{3, 5, 2}}, .in = {{DType::f32, {3, 10}}}},
          {.name = "reshape/scalar", .op = Reshape{{}}, .in = {{DType::f32, {1, 1}}}},
      };
    }};
}  // namespace

}  // namespace latent
