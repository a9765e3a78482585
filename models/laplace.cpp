// Laplace likelihood: |x - mu| / b + log 2 b an element, in nats, with a given scale b.
#include "kernels/ops.h"
#include "models/likelihood_options.h"

namespace latent {
namespace {

using namespace schema;

class Laplace final : public NegativeLogLikelihood {
 public:
  explicit Laplace(const Choice& choice)
      : NegativeLogLikelihood(choice),
        link_(link_of(choice)),
        scale_(choice.option("scale").as_real()) {}

  Var sums(Build&, Var output, Var target, Var weight) const override {
    return laplace_nll(link_(output), target, weight, scale_);
  }
  Var mean(Var output) const override { return link_(output); }

 private:
  Link link_;
  double scale_;
};

const RegisterLikelihood laplace{
    {"laplace",
     "|x - mu| / b + log 2 b, with the scale b",
     {reduction_option(), link_option(),
      option("scale", real("(0, inf)"), "1", "b, the mean absolute deviation")},
     {},
     ""},
    [](const Choice& c) { return std::make_unique<Laplace>(c); }};

}  // namespace
}  // namespace latent
