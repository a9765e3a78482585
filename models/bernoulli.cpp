// Bernoulli likelihood with logits: binary cross-entropy, for data in [0, 1].
#include "kernels/ops.h"
#include "models/likelihood.h"

namespace latent {
namespace {

using namespace schema;

class Bernoulli final : public Likelihood {
 public:
  explicit Bernoulli(bool mean_reduction) : mean_reduction_(mean_reduction) {}

  std::string term() const override { return "nll"; }
  Var rows(Var output, Var target) const override { return bernoulli_nll(output, target); }
  double weight(int64_t elements) const override {
    return mean_reduction_ ? 1.0 / static_cast<double>(elements) : 1.0;
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

 private:
  bool mean_reduction_;
};

const RegisterLikelihood bernoulli{
    {"bernoulli",
     "binary cross-entropy with logits, for data in [0, 1]",
     {option("reduction", words({"sum", "mean"}), "sum", "over the elements of a row")},
     {},
     ""},
    [](const Choice& c) { return std::make_unique<Bernoulli>(c.option("reduction").is("mean")); }};

const RegisterLikelihood bce{
    {"bce", "bernoulli with reduction mean: what Keras and PyTorch do by default", {}, {}, ""},
    [](const Choice&) { return std::make_unique<Bernoulli>(true); }};

}  // namespace
}  // namespace latent
