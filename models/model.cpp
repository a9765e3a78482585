#include "models/model.h"

#include "kernels/ops.h"
#include "models/dense.h"
#include "models/mirror.h"

namespace latent {
namespace {

using namespace schema;

const RegisterChoice dense_bottleneck{
    Family::bottleneck,
    {"dense",
     "a dense layer gives the code",
     {required("units", integer("[1, inf)"), "length of the code")},
     {"weighted"},
     ""}};
const RegisterChoice identity_bottleneck{
    Family::bottleneck, {"identity", "the encoder's last output is the code", {}, {}, ""}};

Tie tie_of(const Choice& mirror) {
  const Value& weights = mirror.option("weights");
  if (weights.is("tied")) return Tie::weights;
  return weights.is("tied_at_start") ? Tie::at_start : Tie::none;
}

Shape last_shape(const Layers& layers, const Shape& before) {
  return layers.empty() ? before : layers.back()->output_shape();
}

int64_t count(const std::vector<Parameter>& parameters) {
  int64_t n = 0;
  for (const Parameter& p : parameters) n += p.type.elements();
  return n;
}

}  // namespace

Model::Model(const Value& config, const Shape& row, uint64_t seed) : config_(config), row_(row) {
  LayerContext context{.path = "", .in = row, .seed = seed, .init = &config_.at("init")};
  config_.set("encoder", spell_out_layers(config_.at("encoder")));
  if (config_.at("decoder").is(Value::Kind::list))
    config_.set("decoder", spell_out_layers(config_.at("decoder")));
  encoder_ = make_layers(config_.at("encoder"), "encoder", context);
  context.in = last_shape(encoder_, row);
  make_bottleneck(context);
  context.in = code_shape();
  make_decoder(context);
  likelihood_ = make_likelihood(as_choice(config_.at("likelihood")));
}

void Model::make_bottleneck(const LayerContext& context) {
  const Choice choice = as_choice(config_.at("bottleneck"));
  if (choice.name == "identity") return;
  LayerContext own = context;
  own.path = "bottleneck";
  bottleneck_ =
      std::make_unique<Dense>(own, dense_options(choice, choice.option("units").as_int(), own));
}

void Model::make_decoder(LayerContext context) {
  const Value& decoder = config_.at("decoder");
  const bool automatic = config_.at("output").is("auto");
  if (decoder.is(Value::Kind::list)) {
    decoder_ = make_layers(decoder, "decoder", context);
    if (automatic && !decoder_.empty() &&
        elements(decoder_.back()->output_shape()) == elements(row_))
      throw error_at(
          decoder.mark(), "model.decoder",
          cat("the list already ends at the data's size ", to_string(row_),
              ": leave that layer out, or say `output: none` to have no layer behind it"));
  } else {
    std::vector<const Layer*> chain;
    for (const auto& layer : encoder_) chain.push_back(layer.get());
    if (bottleneck_) chain.push_back(bottleneck_.get());
    MirroredDecoder mirrored = mirror(chain, row_, tie_of(as_choice(decoder)));
    decoder_ = std::move(mirrored.layers);
    if (automatic) output_ = std::move(mirrored.output);
  }
  context.in = last_shape(decoder_, context.in);
  if (!output_) output_ = make_output(context);
}

std::unique_ptr<Layer> Model::make_output(LayerContext context) const {
  const Value& output = config_.at("output");
  const int64_t size = elements(row_);
  if (output.is("none")) {
    if (elements(context.in) == size) return nullptr;
    throw error_at(output.mark(), "model.output",
                   cat("none, but the decoder ends at ", to_string(context.in), ", the data are ",
                       to_string(row_)));
  }
  context.path = cat("decoder.", decoder_.size());
  if (output.is("auto")) {
    const Fan fan{elements(context.in), size};
    const Choice init = as_choice(*context.init);
    return std::make_unique<Dense>(
        context, Dense::Options{
                     .units = size,
                     .weight_init = weight_init(init, fan, context.seed, context.path + ".weight"),
                     .bias_init = bias_init(init, 0, fan, context.seed, context.path + ".bias")});
  }
  const Choice choice = as_choice(output);
  if (choice.name != "dense")
    throw error_at(output.mark(), "model.output", cat(choice.name, " cannot be the output layer"));
  const Dense::Options options = dense_options(choice, size, context);
  if (options.activation && options.activation->name != "linear")
    throw error_at(output.mark(), "model.output.activation",
                   "the output layer has no activation: the likelihood's link is it");
  return std::make_unique<Dense>(context, options);
}

const Shape& Model::code_shape() const {
  if (bottleneck_) return bottleneck_->output_shape();
  return encoder_.empty() ? row_ : encoder_.back()->output_shape();
}

Var Model::encode(Build& build, Var x) const {
  for (const auto& layer : encoder_) x = layer->apply(build, x);
  if (bottleneck_) x = bottleneck_->apply(build, x);
  build.taps["code"] = x;
  const std::string last = bottleneck_        ? "bottleneck"
                           : encoder_.empty() ? ""
                                              : encoder_.back()->path();
  if (auto pre = build.taps.find(last + ".pre"); pre != build.taps.end())
    build.taps["code.pre"] = pre->second;
  return x;
}

Var Model::decode(Build& build, Var code) const {
  for (const auto& layer : decoder_) code = layer->apply(build, code);
  if (output_) code = output_->apply(build, code);
  Shape shape{code.shape()[0]};
  shape.insert(shape.end(), row_.begin(), row_.end());
  if (code.shape() != shape) code = reshape(code, shape);
  build.taps["output"] = code;
  return code;
}

std::vector<const Layer*> Model::layers() const {
  std::vector<const Layer*> all;
  for (const auto& layer : encoder_) all.push_back(layer.get());
  if (bottleneck_) all.push_back(bottleneck_.get());
  for (const auto& layer : decoder_) all.push_back(layer.get());
  if (output_) all.push_back(output_.get());
  return all;
}

std::vector<Parameter> Model::parameters() const {
  std::vector<Parameter> all;
  for (const Layer* layer : layers())
    for (Parameter& p : layer->parameters()) all.push_back(std::move(p));
  return all;
}

std::vector<LayerRow> Model::table() const {
  std::vector<LayerRow> rows{{"input", "input", "data", row_, 0}};
  for (const Layer* layer : layers()) {
    const bool output = layer == output_.get(), code = layer == bottleneck_.get();
    const std::string part = output ? "decoder" : layer->path().substr(0, layer->path().find('.'));
    rows.push_back({part,
                    output ? "output"
                    : code ? "code"
                           : layer->path(),
                    layer->description(), output ? row_ : layer->output_shape(),
                    count(layer->parameters())});
  }
  return rows;
}

}  // namespace latent
