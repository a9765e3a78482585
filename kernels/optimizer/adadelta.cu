// Adadelta.
#include "kernels/optimizer/samples.h"
#include "kernels/optimizer/update.h"

namespace latent {
namespace {

template <class T>
struct AdadeltaFormula {
  T rho, rest, eps;

  struct Step {
    T lr;
  };
  LATENT_HD Step begin(T lr, T) const { return {lr}; }
  template <int N>
  LATENT_HD T operator()(T p, T g, T (&state)[N], const Step& s) const {
    const T v = state[1] = math::fma(rest * g, g, rho * state[1]);
    const T d = math::sqrt(state[0] + eps) / math::sqrt(v + eps) * g;
    state[0] = math::fma(rest * d, d, rho * state[0]);
    return p - s.lr * d;
  }
};

const RegisterSamples samples{"optimizer/adadelta", [] {
                                return std::vector<Sample>{
                                    optimizer_sample("adadelta", Adadelta{}, 2, 777),
                                    optimizer_sample("adadelta/clip", Adadelta{}, 2, 5000, true)};
                              }};

}  // namespace

std::vector<Type> Adadelta::infer(Types in) const { return infer_update(name, in, 2); }

Kernel Adadelta::prepare(const Signature& s, Device&) const {
  return optimizer_kernel<2>(s, lr, schedule, [op = *this](auto real) {
    using T = decltype(real);
    return AdadeltaFormula<T>{static_cast<T>(op.rho), static_cast<T>(1 - op.rho),
                              static_cast<T>(op.eps)};
  });
}

}  // namespace latent
