// Bernoulli likelihood with logits: binary cross-entropy, for data in [0, 1].
#include "kernels/ops.h"
#include "models/likelihood_options.h"

namespace latent {
namespace {

class Bernoulli final : public NegativeLogLikelihood {
 public:
  using NegativeLogLikelihood::NegativeLogLikelihood;

  Var sums(Build&, Var output, Var target, Var weight) const override {
    return bernoulli_nll(output, target, weight);
  }
  Var mean(Var output) const override { return sigmoid(output); }
  bool probability() const override { return true; }
  void check_range(double lo, double hi) const override {
    if (lo >= 0 && hi <= 1) return;
    throw UserError(
        cat("model.likelihood: bernoulli explains data in [0, 1]; after data.scale the train rows "
            "lie in [",
            lo, ", ", hi,
            "]. Use `data.scale: minmax` (or `unit` for stored integers), or likelihood gaussian "
            "or mse"));
  }
};

const RegisterLikelihood bernoulli{{"bernoulli",
                                    "binary cross-entropy with logits, for data in [0, 1]",
                                    {reduction_option()},
                                    {},
                                    ""},
                                   [](const Choice& c) { return std::make_unique<Bernoulli>(c); }};

const RegisterLikelihood bce{
    {"bce", "bernoulli with reduction mean: what Keras and PyTorch do by default", {}, {}, ""},
    [](const Choice&) { return std::make_unique<Bernoulli>(true); }};

}  // namespace
}  // namespace latent
