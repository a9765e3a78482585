// Fill: a constant.
#include <bit>

#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

template <class T>
struct FillBody {
  T* out;
  T value;
  LATENT_HD void operator()(int64_t i) const { out[i] = value; }
};

/// Fills with values whose bits are those of T: f64 is written as integers, which a GPU can do too.
template <class T, class Bits>
Kernel fill_kernel(int64_t n, T value) {
  return {.run = [n, bits = std::bit_cast<Bits>(value)](const Args& args) {
    for_each(args.stream, n, FillBody<Bits>{args.output<Bits>(0), bits});
  }};
}

}  // namespace

std::vector<Type> Fill::infer(Types in) const {
  if (!in.empty()) throw op_error(name, "takes no inputs", in);
  if (type.dtype == DType::bf16 || type.dtype == DType::f16)
    throw op_error(name, "cannot make " + to_string(type), in);
  return {type};
}

Kernel Fill::prepare(const Signature&, Device&) const {
  const int64_t n = type.elements();
  switch (type.dtype) {
    case DType::f64:
      return fill_kernel<double, uint64_t>(n, value);
    case DType::u64:
      return fill_kernel<uint64_t, uint64_t>(n, static_cast<uint64_t>(value));
    case DType::i32:
      return fill_kernel<int32_t, uint32_t>(n, static_cast<int32_t>(value));
    case DType::u8:
      return fill_kernel<uint8_t, uint8_t>(n, static_cast<uint8_t>(value));
    default:
      return fill_kernel<float, uint32_t>(n, static_cast<float>(value));
  }
}

Var fill(Graph& graph, const Type& type, double value) {
  return graph.apply(Fill{.value = value, .type = type}, {})[0];
}

namespace {
const RegisterSamples samples{
    "structural/fill", [] {
      return std::vector<Sample>{
          {.name = "fill/f32", .op = Fill{-0.1, {DType::f32, {37}}}, .in = {}},
          {.name = "fill/u8", .op = Fill{7, {DType::u8, {5, 7}}}, .in = {}},
          {.name = "fill/u64", .op = Fill{9, {DType::u64, {}}}, .in = {}},
      };
    }};
}  // namespace

}  // namespace latent
