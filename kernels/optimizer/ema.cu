// Exponential moving average of weights.
#include "kernels/optimizer/samples.h"
#include "kernels/optimizer/update.h"

namespace latent {
namespace {

template <class T>
struct EmaRule {
  const uint64_t *latch, *step;
  const T *average, *p;
  T* out;
  T rest;  // 1 - decay

  struct Step {
    T rest;
    bool first;
  };
  LATENT_HD Step begin() const { return {*latch == 0 ? rest : T(0), *latch == 0 && *step == 1}; }
  LATENT_HD void operator()(int64_t i, const Step& s) const {
    const T mixed =
        math::select(s.rest == T(0), average[i], math::fma(s.rest, p[i] - average[i], average[i]));
    out[i] = math::select(s.first, p[i], mixed);
  }
};

const RegisterSamples samples{
    "optimizer/ema", [] {
      const Type counter{DType::u64, {1}}, vector{DType::f32, {777}};
      return std::vector<Sample>{{.name = "ema",
                                  .op = Ema{.decay = 0.9},
                                  .in = {counter, counter, vector, vector},
                                  .range = {{0, 0}, {1, 9}, {-1, 1}, {-1, 1}},
                                  .order = 0}};
    }};

}  // namespace

std::vector<Type> Ema::infer(Types in) const {
  if (in.size() != 4) throw op_error(name, "takes latch, step, the average and p", in);
  require_counters(name, in);
  if (in[3] != in[2]) throw op_error(name, "average and p differ in type or shape", in);
  return {in[2]};
}

Kernel Ema::prepare(const Signature& s, Device&) const {
  return real_kernel(
      s.in[2].dtype, [n = s.in[2].elements(), decay = decay](const Args& a, auto real) {
        using T = decltype(real);
        update_each(a.stream, n,
                    EmaRule<T>{a.input<uint64_t>(0), a.input<uint64_t>(1), a.input<T>(2),
                               a.input<T>(3), a.output<T>(0), static_cast<T>(1 - decay)});
      });
}

}  // namespace latent
