// The k-sparse code: of each example's pre-activations the k largest stay (Makhzani and Frey 2013; with pre_bias, relu and
// unit_norm of the output layer the sparse autoencoder of Gao et al. 2024).
#include "core/config/schedules.h"
#include "kernels/ops.h"
#include "kernels/schedule_factor.h"
#include "models/bottleneck.h"
#include "models/dense.h"
#include "models/objective.h"

namespace latent {
namespace {

using namespace schema;

class TopKBottleneck final : public Bottleneck {
 public:
  TopKBottleneck(const LayerContext& context, const Choice& choice)
      : Bottleneck(context.path),
        in_(elements(context.in)),
        dense_(context, linear_options(choice, context)),
        activation_(find_pointwise(choice.option("activation").as_string())),
        schedule_(choice.option("schedule")),
        magnitude_(choice.option("by").is("magnitude")),
        pre_bias_(choice.option("pre_bias").as_bool()) {
    const Value& units = choice.option("units");
    k_ = checked_k(choice, "k", units.as_int());
    test_k_ = choice.option("test_k").is("k") ? k_ : checked_k(choice, "test_k", units.as_int());
  }

  Code encode(Build& build, Var x) const override {
    if (pre_bias_) {
      Graph::Scope scope(build.graph, path());
      x = reshape(x, {x.shape()[0], -1}) - leaf(build, output_bias_);
    }
    const Var pre = dense_.apply(build, x);
    Graph::Scope scope(build.graph, path());
    const Var kept = select(build, pre);
    const bool plain = !activation_ || activation_->name == "linear";
    const Var value = plain ? kept : latent::apply(activation_->forward, {kept});
    tap(build, value);
    return {.value = value, .mean = value};
  }
  const Shape& output_shape() const override { return dense_.output_shape(); }
  std::vector<Parameter> parameters() const override { return dense_.parameters(); }
  std::string description() const override {
    std::string text = cat(dense_.description(), ", top ", k_);
    if (magnitude_) text += " by magnitude";
    if (activation_ && activation_->name != "linear") text += ", " + activation_->name;
    return text;
  }
  std::unique_ptr<Layer> adjoint(const Mirrored& mirrored) const override {
    return dense_.adjoint(mirrored);
  }
  /// pre_bias: what the output layer adds is first taken from the input.
  void see_output(const Layer* output) override {
    if (!pre_bias_) return;
    const std::string key = "model.bottleneck.topk.pre_bias: ";
    if (!output) throw UserError(key + "there is no output layer whose bias to subtract");
    for (const Parameter& p : output->parameters())
      if (p.name == output->path() + ".bias") output_bias_ = p;
    if (output_bias_.name.empty())
      throw UserError(key + "the output layer has no bias to subtract");
    if (output_bias_.type.elements() != in_)
      throw UserError(cat(key, "the output layer's bias is ", to_string(output_bias_.type.shape),
                          ", what the code is made from has ", in_,
                          " values: they must be alike, as without an encoder"));
  }

 private:
  /// The activation is applied behind the selection.
  static Dense::Options linear_options(const Choice& choice, const LayerContext& context) {
    Dense::Options options = dense_options(choice, choice.option("units").as_int(), context);
    options.activation = nullptr;
    return options;
  }
  static int64_t checked_k(const Choice& choice, const char* option, int64_t units) {
    const Value& k = choice.option(option);
    if (k.as_int() > units)
      throw error_at(k.mark(), cat("model.bottleneck.topk.", option),
                     cat("is ", k.as_int(), ", the code has ", units, " units"));
    return k.as_int();
  }
  /// In training k follows its schedule, on the device; elsewhere it is test_k.
  Var select(Build& build, Var pre) const {
    if (!build.training) return topk(pre, test_k_, magnitude_);
    const Schedule schedule = build.length ? as_schedule(schedule_, build.length->steps_per_epoch,
                                                         build.length->total_steps)
                                           : Schedule{};
    if (schedule == Schedule{} || !build.step) return topk(pre, k_, magnitude_);
    const ScheduleFactor now{.schedule = schedule, .weight = static_cast<float>(k_)};
    return topk(pre, latent::apply(now, {build.step}), magnitude_);
  }

  int64_t in_;
  Dense dense_;
  const PointwiseFamily* activation_;
  Value schedule_;
  bool magnitude_, pre_bias_;
  int64_t k_ = 1, test_k_ = 1;
  Parameter output_bias_;
};

const RegisterBottleneck registered{
    {"topk",
     "the k largest values of a dense layer, the others 0 (Makhzani and Frey 2013)",
     {required("units", integer("[1, inf)"), "length of the code"),
      required("k", integer("[1, inf)"), "how many stay"),
      option("by", words({"value", "magnitude"}), "value", "what is compared"),
      option("test_k", words({"k"}) | integer("[1, inf)"), "k", "k where nothing is trained"),
      option("schedule", choice_of(Family::schedule), "constant", "factor on k in training"),
      option("pre_bias", boolean(), "false",
             "whether the output layer's bias is subtracted from the input")},
     {"weighted"},
     ""},
    [](const Choice& choice, const LayerContext& context) {
      return std::make_unique<TopKBottleneck>(context, choice);
    }};

}  // namespace
}  // namespace latent
