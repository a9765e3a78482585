// Likelihoods of real data: Gaussian with variance 1, and the plain errors mse and mae.
#include "kernels/ops.h"
#include "models/likelihood.h"

namespace latent {
namespace {

using namespace schema;

Domain links() { return words({"identity", "sigmoid", "tanh"}); }

/// The mean of the distribution from the output layer's value.
using Link = Var (*)(Var);
Link link_of(const Choice& choice) {
  const Value& link = choice.option("link");
  if (link.is("sigmoid")) return sigmoid;
  if (link.is("tanh")) return tanh;
  return [](Var x) { return x; };
}

/// 1/2 sum (x - mu)^2 + elements/2 log(2 pi), in nats.
class Gaussian final : public Likelihood {
 public:
  explicit Gaussian(const Choice& choice)
      : link_(link_of(choice)), mean_reduction_(choice.option("reduction").is("mean")) {}

  std::string term() const override { return "nll"; }
  Var rows(Var output, Var target) const override { return gaussian_nll(link_(output), target); }
  double weight(int64_t elements) const override {
    return mean_reduction_ ? 1.0 / static_cast<double>(elements) : 1.0;
  }
  Var mean(Var output) const override { return link_(output); }

 private:
  Link link_;
  bool mean_reduction_;
};

/// Mean squared or mean absolute error over the elements of a row, without 1/2 and constant.
class MeanError final : public Likelihood {
 public:
  MeanError(std::string term, Link link, Var (*rows)(Var, Var))
      : term_(std::move(term)), link_(link), rows_(rows) {}

  std::string term() const override { return term_; }
  Var rows(Var output, Var target) const override { return rows_(link_(output), target); }
  double weight(int64_t) const override { return 1; }
  Var mean(Var output) const override { return link_(output); }

 private:
  std::string term_;
  Link link_;
  Var (*rows_)(Var, Var);
};

const RegisterLikelihood gaussian{
    {"gaussian",
     "1/2 (x - mu)^2 + 1/2 log(2 pi): variance 1",
     {option("reduction", words({"sum", "mean"}), "sum", "over the elements of a row"),
      option("link", links(), "identity", "from the output layer to mu"),
      option("variance",
             words({"1"}) | integer("[1, 1]") |
                 unbuilt("the variational variants", {"learned", "per_element"}),
             "1", "of every element")},
     {},
     ""},
    [](const Choice& c) { return std::make_unique<Gaussian>(c); }};

const RegisterLikelihood mse{
    {"mse",
     "mean squared error over the elements, without 1/2 and constant",
     {option("link", links(), "identity", "from the output layer to the reconstruction")},
     {},
     ""},
    [](const Choice& c) {
      return std::make_unique<MeanError>("mse", link_of(c), mean_squared_error);
    }};

const RegisterLikelihood mae{
    {"mae",
     "mean absolute error over the elements",
     {option("link", links(), "identity", "from the output layer to the reconstruction")},
     {},
     ""},
    [](const Choice& c) {
      return std::make_unique<MeanError>("mae", link_of(c), mean_absolute_error);
    }};

}  // namespace
}  // namespace latent
