// The Gaussian code of a variational autoencoder: a mean and a log-variance for each unit (Kingma and Welling 2014).
#include "kernels/ops.h"
#include "kernels/variational/gaussian_sample.h"
#include "models/bottleneck.h"
#include "models/dense.h"

namespace latent {
namespace {

using namespace schema;

/// The two halves of a tensor along its first axis, each initialised as the tensor of its own name.
Init halves(Init mean, Init logvar) {
  return [=](HostTensor& t) {
    Type half = t.type;
    half.shape[0] /= 2;
    const size_t bytes = half.bytes();
    for (const auto& [init, offset] : {std::pair{mean, size_t{0}}, {logvar, bytes}}) {
      HostTensor part(half);
      if (init) init(part);
      std::copy_n(part.bytes.data(), bytes, t.bytes.data() + offset);
    }
  };
}

class GaussianBottleneck final : public Bottleneck {
 public:
  GaussianBottleneck(const LayerContext& context, const Choice& choice)
      : Bottleneck(context.path),
        units_(choice.option("units").as_int()),
        samples_(choice.option("samples").as_int()),
        mean_(part(context, choice, ".mean")),
        logvar_(part(context, choice, ".logvar")),
        both_(both(context, choice)) {}

  Code encode(Build& build, Var x) const override {
    const Var h = both_.apply(build, x);  // [rows, 2 units]: one product
    Graph::Scope scope(build.graph, path());
    Code code{
        .mu = slice(h, 0, 0, units_), .logvar = slice(h, 0, units_, 2 * units_), .gaussian = h};
    code.mean = code.mu;
    if (build.seed) {
      const GaussianSample sample{.stream = build.stream(path() + ".sample"), .samples = samples_};
      const std::vector<Var> drawn = build.graph.apply(sample, {h, build.seed, build.step});
      code.value = drawn[0];
      code.kl = drawn[1];
      code.log_ratio = drawn[2];
      code.samples = samples_;
    } else {
      code.value = code.mu;
    }
    tap(build, code.value);
    return code;
  }
  const Shape& output_shape() const override { return mean_.output_shape(); }
  std::vector<Parameter> parameters() const override {
    std::vector<Parameter> all = both_.parameters();
    const std::vector<Parameter> means = mean_.parameters(), logvars = logvar_.parameters();
    for (size_t i = 0; i < all.size(); ++i) {
      all[i].file = means[i].file;
      all[i].file.names = {means[i].name, logvars[i].name};
    }
    return all;
  }
  std::string description() const override { return "gaussian: mean and log-variance"; }
  std::unique_ptr<Layer> adjoint(const Mirrored& mirrored) const override {
    if (mirrored.tie == Tie::weights)
      throw UserError(
          "model.decoder: mirror: a Gaussian code has two weights to be tied to; use `mirror: "
          "tied_at_start`, which begins with the mean's, or untied");
    return mean_.adjoint(mirrored);
  }
  std::string brings() const override { return "kl"; }

 private:
  /// The layer of the mean or of the log-variance, by itself: its names and initial values.
  Dense part(LayerContext context, const Choice& choice, const char* suffix) const {
    context.path += suffix;
    return Dense(context, dense_options(choice, units_, context));
  }
  Dense both(const LayerContext& context, const Choice& choice) const {
    Dense::Options options = dense_options(choice, 2 * units_, context);
    const std::vector<Parameter> means = mean_.parameters(), logvars = logvar_.parameters();
    options.weight_init = halves(means[0].init, logvars[0].init);
    if (options.bias) options.bias_init = halves(means[1].init, logvars[1].init);
    return Dense(context, options);
  }

  int64_t units_, samples_;
  Dense mean_, logvar_, both_;
};

const RegisterBottleneck gaussian{
    {"gaussian",
     "a sample of N(mu, exp(logvar)) in training, its mean elsewhere; brings the penalty `kl: 1`",
     {required("units", integer("[1, inf)"), "length of the code"),
      option("samples", integer("[1, inf)"), "1", "drawn for each example in the objective")},
     {"weighted"},
     ""},
    [](const Choice& choice, const LayerContext& context) {
      if (!choice.option("activation").is("linear"))
        throw error_at(choice.option("activation").mark(), "model.bottleneck.activation",
                       "a Gaussian code has none: mean and log-variance are any real numbers");
      return std::make_unique<GaussianBottleneck>(context, choice);
    }};

}  // namespace
}  // namespace latent
