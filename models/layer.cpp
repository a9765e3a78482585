#include "models/layer.h"

#include <map>

#include "models/pointwise_layer.h"

namespace latent {
namespace {

using namespace schema;

const RegisterOptions named{
    "layer",
    {option("name", words({"none"}) | text("[A-Za-z_][A-Za-z0-9_-]*"), "none",
            "another address of the layer, for penalties and figures")}};

std::map<std::string, MakeLayer>& makers() {
  static std::map<std::string, MakeLayer> makers;
  return makers;
}

}  // namespace

RegisterLayer::RegisterLayer(ChoiceSpec spec, MakeLayer make) {
  makers()[spec.name] = std::move(make);
  RegisterChoice(Family::layer, std::move(spec));
}

std::string Mirrored::path_behind(int n) const {
  const size_t dot = path.rfind('.') + 1;
  return cat(path.substr(0, dot), std::stoi(path.substr(dot)) + n);
}

std::unique_ptr<Layer> make_layer(const Choice& choice, const LayerContext& context) {
  if (auto found = makers().find(choice.name); found != makers().end())
    return found->second(choice, context);
  if (const PointwiseFamily* family = find_pointwise(choice.name); family && family->activation)
    return std::make_unique<PointwiseLayer>(context.path, context.in, *family, layer_name(choice));
  throw std::logic_error(cat("layer ", choice.name, ": has no maker"));
}

std::string layer_name(const Choice& choice) {
  const Value& name = choice.option("name");
  return name.is("none") ? "" : name.as_string();
}

Value spell_out_layers(const Value& list) {
  Value result = Value::make_list({}, list.mark());
  for (const Value& element : list.list()) {
    const Choice choice = as_choice(element);
    const Value* units = choice.options.find("units");
    if (!units || !units->is(Value::Kind::list)) {
      result.list().push_back(element);
      continue;
    }
    for (const Value& width : units->list()) {
      Value one = element;
      one.at(choice.name).set("units", width);
      result.list().push_back(std::move(one));
    }
  }
  return result;
}

Layers make_layers(const Value& list, const std::string& prefix, LayerContext context) {
  Layers layers;
  for (const Value& element : list.list()) {
    context.path = cat(prefix, ".", layers.size());
    layers.push_back(make_layer(as_choice(element), context));
    context.in = layers.back()->output_shape();
  }
  return layers;
}

}  // namespace latent
