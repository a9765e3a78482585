// Gaussian likelihood: 1/2 (log 2 pi + log v + (x - mu)^2 / v) an element, in nats. The variance v is given, or learned as
// its logarithm: one for all elements, or one for each of them and every code, from the output layer.
#include "kernels/ops.h"
#include "models/likelihood_options.h"

namespace latent {
namespace {

using namespace schema;

class Gaussian final : public NegativeLogLikelihood {
 public:
  explicit Gaussian(const Choice& choice) : NegativeLogLikelihood(choice), link_(link_of(choice)) {
    variance_ = choice.option("variance").as_real();
  }
  Var sums(Build&, Var output, Var target, Var weight) const override {
    return gaussian_nll(link_(output), target, weight, variance_);
  }
  Var mean(Var output) const override { return link_(output); }

 private:
  Link link_;
  double variance_;
};

/// One log-variance for all elements; it starts at 0.
class GaussianLearned final : public NegativeLogLikelihood {
 public:
  explicit GaussianLearned(const Choice& choice)
      : NegativeLogLikelihood(choice), link_(link_of(choice)) {}

  Var sums(Build& build, Var output, Var target, Var weight) const override {
    return gaussian_nll_shared(link_(output), target, leaf(build, logvar()), weight);
  }
  Var mean(Var output) const override { return link_(output); }
  std::vector<Parameter> parameters() const override { return {logvar()}; }

 private:
  static Parameter logvar() {
    return {.name = "likelihood.logvar", .type = {DType::f32, {1}}, .init = {}, .bias = true};
  }
  Link link_;
};

/// The output layer gives mu and log-variance of an element side by side.
class GaussianPerElement final : public NegativeLogLikelihood {
 public:
  explicit GaussianPerElement(const Choice& choice)
      : NegativeLogLikelihood(choice),
        link_(link_of(choice)),
        linked_(!choice.option("link").is("identity")) {}

  int64_t outputs() const override { return 2; }
  Var sums(Build&, Var output, Var target, Var weight) const override {
    if (linked_)
      output = concat(std::vector{link_(slice(output, 0, 0, 1)), slice(output, 0, 1, 2)}, 0);
    return gaussian_nll_pairs(output, target, weight);
  }
  Var mean(Var output) const override {
    const Shape shape(output.shape().begin(), output.shape().end() - 1);
    return link_(reshape(slice(output, 0, 0, 1), shape));
  }

 private:
  Link link_;
  bool linked_;
};

const RegisterLikelihood gaussian{
    {"gaussian",
     "1/2 (log 2 pi + log v + (x - mu)^2 / v), with the variance v",
     {reduction_option(), link_option(),
      option("variance", words({"learned", "per_element"}) | real("(0, inf)"), "1",
             "a number; learned: one for all elements; per_element: from the output layer")},
     {},
     ""},
    [](const Choice& c) -> std::unique_ptr<Likelihood> {
      const Value& variance = c.option("variance");
      if (variance.is("learned")) return std::make_unique<GaussianLearned>(c);
      if (variance.is("per_element")) return std::make_unique<GaussianPerElement>(c);
      return std::make_unique<Gaussian>(c);
    }};

}  // namespace
}  // namespace latent
