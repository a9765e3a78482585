#include "models/likelihood_options.h"

#include "kernels/ops.h"

namespace latent {

using namespace schema;

Option reduction_option() {
  return option("reduction", words({"sum", "mean"}), "sum", "over the elements of a row");
}

Option link_option() {
  return option("link", words({"identity", "sigmoid", "tanh"}), "identity",
                "from the output layer to the reconstruction");
}

Link link_of(const Choice& choice) {
  const Value& link = choice.option("link");
  if (link.is("sigmoid")) return sigmoid;
  if (link.is("tanh")) return tanh;
  return [](Var x) { return x; };
}

Var NegativeLogLikelihood::rows(Build& build, Var output, Var target, Var weight) const {
  if (mean_reduction_ && weight) weight = mean_weights(weight);
  return sums(build, output, target, weight);
}

}  // namespace latent
