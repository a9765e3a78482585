#include "models/model.h"

#include <optional>
#include <set>

#include "core/config/resolve.h"
#include "kernels/ops.h"
#include "models/corruption.h"
#include "models/dense.h"
#include "models/mirror.h"
#include "models/output.h"

namespace latent {
namespace {

using namespace schema;

Tie tie_of(const Choice& mirror) {
  const Value& weights = mirror.option("weights");
  if (weights.is("tied")) return Tie::weights;
  return weights.is("tied_at_start") ? Tie::at_start : Tie::none;
}

Shape last_shape(const Layers& layers, const Shape& before) {
  return layers.empty() ? before : layers.back()->output_shape();
}

/// The output layer that the YAML describes; none for `auto` and `none`.
std::optional<Choice> output_choice(const Value& output) {
  if (output.is("auto") || output.is("none")) return std::nullopt;
  Choice choice = as_choice(output);
  if (choice.name != "dense" && choice.name != "conv" && choice.name != "conv_transpose")
    throw error_at(output.mark(), "model.output", cat(choice.name, " cannot be the output layer"));
  const Value& activation = choice.option("activation");
  if (!activation.is("linear"))
    throw error_at(activation.mark(), "model.output.activation",
                   "the output layer has no activation: the likelihood's link is it");
  return choice;
}

int64_t count(const std::vector<Parameter>& parameters) {
  int64_t n = 0;
  for (const Parameter& p : parameters) n += p.type.elements();
  return n;
}

}  // namespace

Model::Model(const Value& config, const Shape& row, uint64_t seed, const Shape& target)
    : config_(config), row_(row), target_(target.empty() ? row : target) {
  check_corruptions(config_.at("corruption"));
  LayerContext context{.path = "", .in = row, .seed = seed, .init = &config_.at("init")};
  config_.set("encoder", spell_out_layers(config_.at("encoder")));
  if (config_.at("decoder").is(Value::Kind::list))
    config_.set("decoder", spell_out_layers(config_.at("decoder")));
  encoder_ = make_layers(config_.at("encoder"), "encoder", context);
  context.in = last_shape(encoder_, row);
  bottleneck_ = make_bottleneck(as_choice(config_.at("bottleneck")), context);
  add_brought_penalty();
  context.in = code_shape();
  likelihood_ = make_likelihood(as_choice(config_.at("likelihood")));
  make_decoder(context);
  if (bottleneck_) bottleneck_->see_output(output_.get());
  check_names();
}

/// The penalty that belongs to the code, unless the YAML names it.
void Model::add_brought_penalty() {
  const std::string name = bottleneck_ ? bottleneck_->brings() : "";
  if (name.empty()) return;
  Value penalties = config_.at("penalties");
  for (const Value& penalty : penalties.list())
    if (as_choice(penalty).name == name) return;
  const Option brought =
      option("penalties", list_of(choice_of(Family::penalty)), cat("[", name, "]"), "");
  penalties.list().push_back(resolve_default(brought, "model.penalties").list().front());
  config_.set("penalties", std::move(penalties));
}

void Model::make_decoder(LayerContext context) {
  const Value &decoder = config_.at("decoder"), &output = config_.at("output");
  const std::optional<Choice> given = output_choice(output);
  // Several values of an element lie side by side, as channels do.
  Shape row = target_;
  row.back() *= likelihood_->outputs();
  const int64_t size = elements(row);
  if (decoder.is(Value::Kind::list)) {
    decoder_ = make_layers(decoder, "decoder", context);
    if (output.is("auto") && !decoder_.empty() && elements(decoder_.back()->output_shape()) == size)
      throw error_at(
          decoder.mark(), "model.decoder",
          cat("the list already ends at the data's size ", to_string(row),
              ": leave that layer out, or say `output: none` to have no layer behind it"));
  } else {
    std::vector<const Layer*> chain;
    for (const auto& layer : encoder_) chain.push_back(layer.get());
    if (bottleneck_) chain.push_back(bottleneck_.get());
    const Choice choice = as_choice(decoder);
    const Tie tie = tie_of(choice);
    if (tie != Tie::none && likelihood_->outputs() != 1)
      throw error_at(decoder.mark(), "model.decoder",
                     cat("tied weights give one value an element, the likelihood wants ",
                         likelihood_->outputs(), ": use `mirror` untied, or a list"));
    const bool comes_back = target_ == row_;
    MirroredDecoder mirrored = mirror(chain, {.row = row_,
                                              .out = comes_back ? row : row_,
                                              .context = context,
                                              .tie = tie,
                                              .reverse = choice.option("reverse").as_bool(),
                                              .output = given ? &*given : nullptr});
    decoder_ = std::move(mirrored.layers);
    // Another shape than the input's needs a layer of its own.
    if (comes_back) output_ = std::move(mirrored.output);
  }
  context.in = last_shape(decoder_, context.in);
  if (output.is("none")) {
    output_ = nullptr;
    if (elements(context.in) != size)
      throw error_at(output.mark(), "model.output",
                     cat("none, but the decoder ends at ", to_string(context.in),
                         ", the likelihood wants ", to_string(row)));
  } else if (!output_) {
    context.path = cat("decoder.", decoder_.size());
    const bool series = row.size() == 2 && context.in.size() == 2 && context.in[0] == row[0];
    if (series && (!given || given->name == "dense"))
      output_ = dense_per_step(context, row[1], given ? &*given : nullptr);
    else
      output_ = given ? given_output(*given, context, row) : automatic_output(context, row);
  }
}

/// Addresses are those of one layer each.
void Model::check_names() const {
  std::set<std::string> taken{"bottleneck", "code", "hidden", "output"};
  for (const Layer* layer : layers())
    if (!layer->name().empty() && !taken.insert(layer->name()).second)
      throw UserError(cat("model.", layer->path(), ".name: '", layer->name(),
                          "' is already the address of another layer"));
}

const Shape& Model::code_shape() const {
  if (bottleneck_) return bottleneck_->output_shape();
  return encoder_.empty() ? row_ : encoder_.back()->output_shape();
}

Code Model::encode(Build& build, Var x) const {
  for (const auto& layer : encoder_) build.hidden.push_back(x = layer->apply(build, x));
  Code code{.value = x, .mean = x};
  if (bottleneck_) {
    code = bottleneck_->encode(build, x);
    build.hidden.push_back(code.value);
  }
  build.taps["code"] = code.value;
  const std::string last = bottleneck_        ? "bottleneck"
                           : encoder_.empty() ? ""
                                              : encoder_.back()->path();
  if (auto pre = build.taps.find(last + ".pre"); pre != build.taps.end())
    build.taps["code.pre"] = pre->second;
  return code;
}

Var Model::decode(Build& build, Var code) const {
  for (const auto& layer : decoder_) {
    code = layer->apply(build, code);
    if (output_ || layer != decoder_.back()) build.hidden.push_back(code);
  }
  if (output_) code = output_->apply(build, code);
  Shape shape = output_shape();
  shape.insert(shape.begin(), code.shape()[0]);
  if (code.shape() != shape) code = reshape(code, shape);
  build.taps["output"] = code;
  return code;
}

Shape Model::output_shape() const {
  Shape shape = target_;
  if (likelihood_->outputs() > 1) shape.push_back(likelihood_->outputs());
  return shape;
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
  for (Parameter& p : likelihood_->parameters()) all.push_back(std::move(p));
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
                    layer->description(), output ? output_shape() : layer->output_shape(),
                    count(layer->parameters())});
  }
  if (const int64_t n = count(likelihood_->parameters()); n > 0)
    rows.push_back(
        {"likelihood", "likelihood", as_choice(config_.at("likelihood")).name, target_, n});
  return rows;
}

}  // namespace latent
