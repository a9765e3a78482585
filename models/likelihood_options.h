// Options that several likelihoods have, and what they mean.
#pragma once

#include "models/likelihood.h"

namespace latent {

/// reduction: sum | mean, over the elements of a row.
Option reduction_option();
/// link: identity | sigmoid | tanh, from the output layer's value to the mean.
Option link_option();

using Link = Var (*)(Var);
Link link_of(const Choice& choice);

/// A negative log-likelihood in nats, summed over the elements of a row. Under `reduction: mean` the
/// objective takes it by the number of elements, and where some are unobserved, the others stand for them.
class NegativeLogLikelihood : public Likelihood {
 public:
  explicit NegativeLogLikelihood(bool mean_reduction) : mean_reduction_(mean_reduction) {}
  explicit NegativeLogLikelihood(const Choice& choice)
      : NegativeLogLikelihood(choice.option("reduction").is("mean")) {}

  std::string term() const override { return "nll"; }
  Var rows(Build& build, Var output, Var target, Var weight) const final;
  double weight(int64_t elements) const override {
    return mean_reduction_ ? 1.0 / static_cast<double>(elements) : 1.0;
  }

 protected:
  /// Sums of weight x loss.
  virtual Var sums(Build& build, Var output, Var target, Var weight) const = 0;

 private:
  bool mean_reduction_;
};

}  // namespace latent
