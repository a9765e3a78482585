// Adagrad.
#include "kernels/optimizer/samples.h"
#include "kernels/optimizer/update.h"

namespace latent {
namespace {

template <class T>
struct AdagradFormula {
  T eps;

  struct Step {
    T lr;
  };
  LATENT_HD Step begin(T lr, T) const { return {lr}; }
  template <int N>
  LATENT_HD T operator()(T p, T g, T (&state)[N], const Step& s) const {
    const T v = state[0] = math::fma(g, g, state[0]);
    return p - s.lr * (g / (math::sqrt(v) + eps));
  }
};

const RegisterSamples samples{"optimizer/adagrad", [] {
                                return std::vector<Sample>{
                                    optimizer_sample("adagrad", Adagrad{}, 1, 777),
                                    optimizer_sample("adagrad/clip", Adagrad{}, 1, 5000, true)};
                              }};

}  // namespace

std::vector<Type> Adagrad::infer(Types in) const { return infer_update(name, in, 1); }

Kernel Adagrad::prepare(const Signature& s, Device&) const {
  return optimizer_kernel<1>(s, lr, schedule, [op = *this](auto real) {
    using T = decltype(real);
    return AdagradFormula<T>{static_cast<T>(op.eps)};
  });
}

}  // namespace latent
