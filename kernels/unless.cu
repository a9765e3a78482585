#include "kernels/unless.h"

#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"

namespace latent {
namespace {

template <class T>
struct UnlessBody {
  const uint64_t* latch;
  const T *old_value, *new_value;
  T* out;
  LATENT_HD void operator()(int64_t i) const {
    out[i] = math::select(*latch == 0, new_value[i], old_value[i]);
  }
};

Sample sample(const char* name, uint64_t latch, Shape shape) {
  const Type value{DType::f32, std::move(shape)};
  const double set = static_cast<double>(latch);
  return {.name = name,
          .op = Unless{},
          .in = {{DType::u64, {1}}, value, value},
          .range = {{set, set}, {-1, 1}, {-1, 1}},
          .order = 0};
}

const RegisterSamples samples{"unless", [] {
                                return std::vector<Sample>{sample("unless/new", 0, {37}),
                                                           sample("unless/old", 3, {5, 7}),
                                                           sample("unless/scalar", 0, {})};
                              }};

}  // namespace

std::vector<Type> Unless::infer(Types in) const {
  const bool reals = in.size() == 3 && (in[1].dtype == DType::f32 || in[1].dtype == DType::f64);
  if (!reals || in[0] != Type{DType::u64, {1}} || in[1] != in[2])
    throw op_error(name, "takes latch u64[1] and two reals of one type", in);
  return {in[1]};
}

Kernel Unless::prepare(const Signature& s, Device&) const {
  return real_kernel(s.in[1].dtype, [n = s.in[1].elements()](const Args& a, auto real) {
    using T = decltype(real);
    for_each(a.stream, n,
             UnlessBody<T>{a.input<uint64_t>(0), a.input<T>(1), a.input<T>(2), a.output<T>(0)});
  });
}

}  // namespace latent
