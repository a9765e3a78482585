#include "models/weighted.h"

namespace latent {
namespace {

bool is_linear(const PointwiseFamily* activation) {
  return !activation || activation->name == "linear";
}

/// Whether a row of that shape has its elements in another order when its channels stand first.
bool is_map(const Shape& row) { return row.size() == 3 && row[2] > 1 && row[0] * row[1] > 1; }

/// One side of a weight after those that the layout has: as a map with its channels first, or as it is.
void add_side(FileLayout& layout, const Shape& row) {
  const int first = static_cast<int>(layout.view.size());
  if (is_map(row)) {
    layout.view.insert(layout.view.end(), row.begin(), row.end());
    layout.order.insert(layout.order.end(), {first + 2, first, first + 1});
  } else {
    layout.view.push_back(elements(row));
    layout.order.push_back(first);
  }
  layout.shape.push_back(elements(row));
}

}  // namespace

FileLayout conv_weight_layout() { return {.order = {0, 3, 1, 2}}; }

FileLayout dense_weight_layout(const Shape& out, const Shape& in) {
  FileLayout layout;
  if (!is_map(out) && !is_map(in)) return layout;
  add_side(layout, out);
  add_side(layout, in);
  return layout;
}

FileLayout dense_bias_layout(const Shape& out) {
  FileLayout layout;
  if (is_map(out)) add_side(layout, out);
  return layout;
}

Weighted plain_weighted(Fan fan, const LayerContext& context) {
  const Choice init = as_choice(*context.init);
  Weighted options;
  options.weight_init = weight_init(init, fan, context.seed, context.path + ".weight");
  options.bias_init = bias_init(init, 0, fan, context.seed, context.path + ".bias");
  return options;
}

Weighted read_weighted(const Choice& choice, Fan fan, const LayerContext& context) {
  Weighted options;
  options.activation = find_pointwise(choice.option("activation").as_string());
  options.bias = choice.option("bias").as_bool();
  options.frozen = choice.option("freeze").as_bool();
  const Value& own = choice.option("init");
  const Choice init = as_choice(own.is("default") ? *context.init : own);
  options.weight_init = weight_init(init, fan, context.seed, context.path + ".weight");
  options.bias_init = bias_init(init, choice.option("bias_init").as_real(), fan, context.seed,
                                context.path + ".bias");
  return options;
}

Var activate(const Layer& layer, Build& build, Var pre, const PointwiseFamily* activation) {
  const Var y = is_linear(activation) ? pre : latent::apply(activation->forward, {pre});
  layer.tap(build, pre, ".pre");
  layer.tap(build, y);
  return y;
}

std::string describe(const Weighted& options) {
  std::string text;
  if (!is_linear(options.activation)) text += ", " + options.activation->name;
  if (options.tied_to) text += ", tied to " + options.tied_to->name;
  if (options.frozen) text += ", frozen";
  return text;
}

void refuse_contradictions(const Mirrored& mirrored) {
  if (!mirrored.given || mirrored.tie == Tie::none) return;
  const Value &init = mirrored.given->option("init"), &freeze = mirrored.given->option("freeze");
  if (!init.is("default"))
    throw error_at(init.mark(), "model.output.init",
                   "the decoder is tied: its weights begin as the encoder's");
  if (mirrored.tie != Tie::weights) return;
  if (freeze.as_bool())
    throw error_at(freeze.mark(), "model.output.freeze",
                   "the decoder is tied: freeze the encoder's layer");
  const Value& unit_norm = mirrored.given->option("unit_norm");
  if (unit_norm.as_bool())
    throw error_at(
        unit_norm.mark(), "model.output.unit_norm",
        "the decoder is tied: give it to the encoder's layer, whose rows are the columns here");
}

}  // namespace latent
