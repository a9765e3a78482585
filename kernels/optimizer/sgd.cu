// Stochastic gradient descent, with momentum and Nesterov's momentum.
#include "kernels/optimizer/samples.h"
#include "kernels/optimizer/update.h"

namespace latent {
namespace {

template <class T, bool Momentum>
struct SgdFormula {
  T momentum;
  bool nesterov;

  struct Step {
    T lr;
  };
  LATENT_HD Step begin(T lr, T) const { return {lr}; }
  template <int N>
  LATENT_HD T operator()(T p, T g, T (&state)[N], const Step& s) const {
    if constexpr (!Momentum) return p - s.lr * g;
    const T m = state[0] = momentum * state[0] + g;
    return p - s.lr * (nesterov ? g + momentum * m : m);
  }
};

template <bool Momentum>
Kernel sgd_kernel(const Sgd& op, const Signature& s) {
  return optimizer_kernel < Momentum
             ? 1
             : 0 > (s, op.lr, op.schedule, [op](auto real) {
                 using T = decltype(real);
                 return SgdFormula<T, Momentum>{static_cast<T>(op.momentum), op.nesterov};
               });
}

const RegisterSamples samples{
    "optimizer/sgd", [] {
      const Schedule step{.kind = Schedule::Kind::step, .span = 3, .by = 0.5f};
      return std::vector<Sample>{
          optimizer_sample("sgd/plain", Sgd{.schedule = step}, 0, 777),
          optimizer_sample("sgd/momentum", Sgd{.momentum = 0.9}, 1, 777),
          optimizer_sample("sgd/nesterov/clip", Sgd{.momentum = 0.9, .nesterov = true}, 1, 5000,
                           true)};
    }};

}  // namespace

std::vector<Type> Sgd::infer(Types in) const {
  return infer_update(name, in, momentum > 0 ? 1 : 0);
}

Kernel Sgd::prepare(const Signature& s, Device&) const {
  return momentum > 0 ? sgd_kernel<true>(*this, s) : sgd_kernel<false>(*this, s);
}

}  // namespace latent
