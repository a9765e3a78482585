// Multinomial likelihood of counts: -sum x log softmax(l), without the multinomial coefficient (Liang et al. 2018).
#include "kernels/ops.h"
#include "models/likelihood_options.h"

namespace latent {
namespace {

class Multinomial final : public NegativeLogLikelihood {
 public:
  using NegativeLogLikelihood::NegativeLogLikelihood;

  Var sums(Build&, Var output, Var target, Var weight) const override {
    return multinomial_nll(output, target, weight);
  }
  /// That of one draw: the probabilities.
  Var mean(Var output) const override {
    const int64_t rows = output.shape()[0];
    const Var logits = reshape(output, {rows, -1});
    return reshape(exp(logits - reshape(log_sum_exp(logits), {rows, 1})), output.shape());
  }
  void check_range(double lo, double hi) const override {
    if (lo >= 0) return;
    throw UserError(
        cat("model.likelihood: multinomial explains counts, which are not negative; after "
            "data.scale the train rows lie in [",
            lo, ", ", hi, "]. Use `data.scale: none`, or likelihood gaussian or mse"));
  }
};

const RegisterLikelihood multinomial{
    {"multinomial",
     "-sum x log softmax(l), for counts; without the multinomial coefficient",
     {reduction_option()},
     {},
     ""},
    [](const Choice& c) { return std::make_unique<Multinomial>(c); }};

}  // namespace
}  // namespace latent
