// How the output explains the input: one number for each row, and the mean as reconstruction.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/config/choice.h"
#include "models/build.h"

namespace latent {

class Likelihood {
 public:
  virtual ~Likelihood() = default;

  /// The name its term is logged under: nll, mse or mae.
  virtual std::string term() const = 0;
  /// The term, one number a row: output [rows, row...] (with outputs() values of each element behind
  /// it, where that is not 1) and target [rows / samples, row...] -> [rows]. `weight`, alike the
  /// target or empty, is what each element counts. Sums are of weight x loss; means are over the
  /// elements whose weight is not 0: an unobserved element is as though it were not there.
  virtual Var rows(Build& build, Var output, Var target, Var weight) const = 0;
  /// Factor of the term in the objective: 1, or 1 / elements under `reduction: mean`.
  virtual double weight(int64_t elements) const = 0;
  /// The mean of the distribution, [rows, row...] in the scaled data's space.
  virtual Var mean(Var output) const = 0;
  /// Values that the output layer gives for an element of the data.
  virtual int64_t outputs() const { return 1; }
  /// What is trained beside the layers: `likelihood.logvar`.
  virtual std::vector<Parameter> parameters() const { return {}; }
  /// Whether the mean is a probability, so that `bce` is defined.
  virtual bool probability() const { return false; }
  /// Throws UserError where data of that range cannot be explained; `range` is of the scaled values.
  virtual void check_range(double /*lo*/, double /*hi*/) const {}
};

using MakeLikelihood = std::function<std::unique_ptr<Likelihood>(const Choice&)>;

struct RegisterLikelihood {
  RegisterLikelihood(ChoiceSpec spec, MakeLikelihood make);
};

std::unique_ptr<Likelihood> make_likelihood(const Choice& choice);

}  // namespace latent
