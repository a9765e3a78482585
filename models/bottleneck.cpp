#include "models/bottleneck.h"

#include <map>

#include "kernels/ops.h"
#include "models/dense.h"

namespace latent {
namespace {

using namespace schema;

std::map<std::string, MakeBottleneck>& makers() {
  static std::map<std::string, MakeBottleneck> makers;
  return makers;
}

/// A dense layer whose value is the code.
class DenseBottleneck final : public Bottleneck {
 public:
  DenseBottleneck(const LayerContext& context, Dense::Options options)
      : Bottleneck(context.path), dense_(context, std::move(options)) {}

  Code encode(Build& build, Var x) const override {
    const Var value = dense_.apply(build, x);
    return {.value = value, .mean = value};
  }
  const Shape& output_shape() const override { return dense_.output_shape(); }
  std::vector<Parameter> parameters() const override { return dense_.parameters(); }
  std::string description() const override { return dense_.description(); }
  const PointwiseFamily* activation() const override { return dense_.activation(); }
  std::unique_ptr<Layer> adjoint(const Mirrored& mirrored) const override {
    return dense_.adjoint(mirrored);
  }

 private:
  Dense dense_;
};

const RegisterBottleneck dense{{"dense",
                                "a dense layer gives the code",
                                {required("units", integer("[1, inf)"), "length of the code")},
                                {"weighted"},
                                ""},
                               [](const Choice& choice, const LayerContext& context) {
                                 const int64_t units = choice.option("units").as_int();
                                 return std::make_unique<DenseBottleneck>(
                                     context, dense_options(choice, units, context));
                               }};

const RegisterBottleneck identity{{"identity", "the encoder's last output is the code", {}, {}, ""},
                                  [](const Choice&, const LayerContext&) { return nullptr; }};

}  // namespace

Var Code::over_samples(Var v) const {
  return samples == 1 ? v : mean_rows(reshape(v, {-1, samples}));
}

RegisterBottleneck::RegisterBottleneck(ChoiceSpec spec, MakeBottleneck make) {
  makers()[spec.name] = std::move(make);
  RegisterChoice(Family::bottleneck, std::move(spec));
}

std::unique_ptr<Bottleneck> make_bottleneck(const Choice& choice, const LayerContext& context) {
  LayerContext own = context;
  own.path = "bottleneck";
  auto found = makers().find(choice.name);
  if (found == makers().end())
    throw std::logic_error(cat("bottleneck ", choice.name, ": has no maker"));
  return found->second(choice, own);
}

}  // namespace latent
