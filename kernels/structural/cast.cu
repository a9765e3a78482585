// Cast: another element type.
#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

template <class From, class To>
struct CastBody {
  const From* in;
  To* out;
  LATENT_HD void operator()(int64_t i) const { out[i] = static_cast<To>(in[i]); }
};

template <class From, class To>
Kernel cast_kernel(int64_t n) {
  return {.run = [n](const Args& args) {
    for_each(args.stream, n, CastBody<From, To>{args.input<From>(0), args.output<To>(0)});
  }};
}

template <class To>
Kernel cast_from(DType from, int64_t n) {
  switch (from) {
    case DType::f64:
      return cast_kernel<double, To>(n);
    case DType::u8:
      return cast_kernel<uint8_t, To>(n);
    case DType::i32:
      return cast_kernel<int32_t, To>(n);
    case DType::u64:
      return cast_kernel<uint64_t, To>(n);
    default:
      return cast_kernel<float, To>(n);
  }
}

bool is_real(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

}  // namespace

std::vector<Type> Cast::infer(Types in) const {
  if (in.size() != 1) throw op_error(name, "takes one input", in);
  if (!is_real(to) || in[0].dtype == DType::bf16 || in[0].dtype == DType::f16)
    throw op_error(name, "no cast to " + name_of(to), in);
  return {{to, in[0].shape}};
}

Kernel Cast::prepare(const Signature& s, Device&) const {
  const int64_t n = s.in[0].elements();
  return to == DType::f64 ? cast_from<double>(s.in[0].dtype, n)
                          : cast_from<float>(s.in[0].dtype, n);
}

std::vector<Var> Cast::vjp(const Pullback& p) const {
  const DType from = p.in[0].type().dtype;
  if (!is_real(from)) return {Var{}};
  return {cast(p.cotangents[0], from)};
}

Var cast(Var x, DType to) { return x.type().dtype == to ? x : apply(Cast{to}, {x}); }

namespace {
const RegisterSamples samples{
    "structural/cast", [] {
      return std::vector<Sample>{
          {.name = "cast/u8", .op = Cast{DType::f32}, .in = {{DType::u8, {5, 37}}}, .order = 0},
          {.name = "cast/i32", .op = Cast{DType::f32}, .in = {{DType::i32, {37}}}, .order = 0},
          {.name = "cast/u64", .op = Cast{DType::f32}, .in = {{DType::u64, {}}}, .order = 0},
      };
    }};
}  // namespace

}  // namespace latent
