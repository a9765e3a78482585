// RMSprop.
#include "kernels/optimizer/samples.h"
#include "kernels/optimizer/update.h"

namespace latent {
namespace {

template <class T>
struct RmsPropFormula {
  T alpha, rest, eps;

  struct Step {
    T lr;
  };
  LATENT_HD Step begin(T lr, T) const { return {lr}; }
  template <int N>
  LATENT_HD T operator()(T p, T g, T (&state)[N], const Step& s) const {
    const T v = state[0] = math::fma(rest * g, g, alpha * state[0]);
    return p - s.lr * (g / (math::sqrt(v) + eps));
  }
};

const RegisterSamples samples{"optimizer/rmsprop", [] {
                                return std::vector<Sample>{
                                    optimizer_sample("rmsprop", RmsProp{}, 1, 777),
                                    optimizer_sample("rmsprop/clip", RmsProp{}, 1, 5000, true)};
                              }};

}  // namespace

std::vector<Type> RmsProp::infer(Types in) const { return infer_update(name, in, 1); }

Kernel RmsProp::prepare(const Signature& s, Device&) const {
  return optimizer_kernel<1>(s, lr, schedule, [op = *this](auto real) {
    using T = decltype(real);
    return RmsPropFormula<T>{static_cast<T>(op.alpha), static_cast<T>(1 - op.alpha),
                             static_cast<T>(op.eps)};
  });
}

}  // namespace latent
