// Pack: tensors of any shapes into one flat buffer, such as a group's gradients.
#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

/// `out` is `n` values and zeros behind them.
template <class T>
struct PackBody {
  const T* in;
  T* out;
  int64_t n;
  LATENT_HD void operator()(int64_t i) const { out[i] = i < n ? in[i] : T(0); }
};

}  // namespace

std::vector<Type> Pack::infer(Types in) const {
  require_reals(name, in, offsets.size());
  int64_t end = 0;
  for (size_t i = 0; i < in.size(); ++i) {
    if (offsets[i] < end || (i == 0 && offsets[i] != 0))
      throw op_error(name, cat("no place for input ", i, " at ", offsets[i]), in);
    end = offsets[i] + in[i].elements();
  }
  if (in.empty() || end > size) throw op_error(name, cat("does not fit into ", size), in);
  return {{in[0].dtype, {size}}};
}

Kernel Pack::prepare(const Signature& s, Device&) const {
  std::vector<int64_t> counts;
  for (const Type& t : s.in) counts.push_back(t.elements());
  return real_kernel(s.in[0].dtype, [counts, op = *this](const Args& args, auto real) {
    using T = decltype(real);
    for (size_t i = 0; i < counts.size(); ++i) {
      const T* in = args.input<T>(static_cast<int>(i));
      T* out = args.output<T>(0) + op.offsets[i];
      if (in == out) continue;
      const int64_t next = i + 1 < counts.size() ? op.offsets[i + 1] : op.size;
      for_each(args.stream, next - op.offsets[i], PackBody<T>{in, out, counts[i]});
    }
  });
}

std::vector<Var> Pack::vjp(const Pullback& p) const {
  const Var c = p.cotangents[0];
  std::vector<Var> result(p.in.size());
  for (size_t i = 0; i < p.in.size(); ++i) {
    if (!p.needs[i]) continue;
    const Var piece = slice(c, 0, offsets[i], offsets[i] + p.in[i].type().elements());
    result[i] = reshape(piece, with_batch(c, p.batch_axes, p.in[i].shape()));
  }
  return result;
}

std::vector<size_t> Pack::packs(const Signature& s) const {
  std::vector<size_t> bytes;
  for (int64_t offset : offsets)
    bytes.push_back(static_cast<size_t>(offset) * size_of(s.in[0].dtype));
  return bytes;
}

Cost Pack::cost(const Signature& s) const {
  Cost cost = streaming_cost(s, 0);
  cost.launches = static_cast<int>(s.in.size());
  return cost;
}

Var pack(std::span<const Var> parts, const FlatLayout& layout) {
  return latent::apply(Pack{.offsets = layout.offsets, .size = layout.size}, parts);
}

namespace {
const RegisterSamples samples{
    "structural/pack", [] {
      return std::vector<Sample>{
          {.name = "pack/one", .op = Pack{{0}, 64}, .in = {{DType::f32, {5, 7}}}},
          {.name = "pack/three",
           .op = Pack{{0, 64, 128}, 192},
           .in = {{DType::f32, {3, 7}}, {DType::f32, {64}}, {DType::f32, {}}}},
      };
    }};
}  // namespace

}  // namespace latent
