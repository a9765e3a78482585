// Adam and AdamW.
#include "kernels/optimizer/samples.h"
#include "kernels/optimizer/update.h"

namespace latent {
namespace {

template <class T>
struct AdamFormula {
  // 1 - beta and log beta are rounded from double: 1 - 0.999f would be wrong in the fifth digit.
  T rest1, rest2, beta2, log_beta1, log_beta2, eps, decay;

  struct Step {
    T step_size, inverse_root, shrink;
  };
  LATENT_HD Step begin(T lr, T t) const {
    const T correction1 = -math::expm1(t * log_beta1), correction2 = -math::expm1(t * log_beta2);
    return {lr / correction1, T(1) / math::sqrt(correction2), T(1) - lr * decay};
  }
  template <int N>
  LATENT_HD T operator()(T p, T g, T (&state)[N], const Step& s) const {
    const T m = state[0] = math::fma(rest1, g - state[0], state[0]);
    const T v = state[1] = math::fma(rest2 * g, g, beta2 * state[1]);
    return p * s.shrink - s.step_size * (m / math::fma(math::sqrt(v), s.inverse_root, eps));
  }
};

const RegisterSamples samples{
    "optimizer/adam", [] {
      const Schedule cosine{.kind = Schedule::Kind::cosine, .warmup = 2, .span = 12, .to = 0.1f};
      return std::vector<Sample>{
          optimizer_sample("adam", Adam{}, 2, 777),
          optimizer_sample("adam/clip", Adam{.beta1 = 0, .schedule = cosine}, 2, 5000, true),
          optimizer_sample("adamw", Adam{.decay = 0.01}, 2, 777),
          optimizer_sample("adam/51k", Adam{}, 2, 51008, false, true),
          optimizer_sample("adam/2.8M", Adam{}, 2, 2837312, false, true)};
    }};

}  // namespace

std::vector<Type> Adam::infer(Types in) const { return infer_update(name, in, 2); }

Kernel Adam::prepare(const Signature& s, Device&) const {
  return optimizer_kernel<2>(s, lr, schedule, [op = *this](auto real) {
    using T = decltype(real);
    return AdamFormula<T>{.rest1 = static_cast<T>(1 - op.beta1),
                          .rest2 = static_cast<T>(1 - op.beta2),
                          .beta2 = static_cast<T>(op.beta2),
                          .log_beta1 = static_cast<T>(std::log(op.beta1)),
                          .log_beta2 = static_cast<T>(std::log(op.beta2)),
                          .eps = static_cast<T>(op.eps),
                          .decay = static_cast<T>(op.decay)};
  });
}

}  // namespace latent
