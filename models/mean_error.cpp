// The plain errors mse and mae as likelihood terms.
#include "kernels/ops.h"
#include "models/likelihood_options.h"

namespace latent {
namespace {

/// Mean squared or mean absolute error over the elements of a row, without 1/2 and constant.
class MeanError final : public Likelihood {
 public:
  using Error = Var (*)(Var, Var, Var);
  MeanError(std::string term, Link link, Error error)
      : term_(std::move(term)), link_(link), error_(error) {}

  std::string term() const override { return term_; }
  Var rows(Build&, Var output, Var target, Var weight) const override {
    return error_(link_(output), target, weight ? mean_weights(weight) : Var{});
  }
  double weight(int64_t) const override { return 1; }
  Var mean(Var output) const override { return link_(output); }

 private:
  std::string term_;
  Link link_;
  Error error_;
};

const RegisterLikelihood mse{{"mse",
                              "mean squared error over the elements, without 1/2 and constant",
                              {link_option()},
                              {},
                              ""},
                             [](const Choice& c) {
                               return std::make_unique<MeanError>("mse", link_of(c),
                                                                  mean_squared_error);
                             }};

const RegisterLikelihood mae{
    {"mae", "mean absolute error over the elements", {link_option()}, {}, ""}, [](const Choice& c) {
      return std::make_unique<MeanError>("mae", link_of(c), mean_absolute_error);
    }};

}  // namespace
}  // namespace latent
