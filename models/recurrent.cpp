#include "models/recurrent.h"

#include "kernels/ops.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

using namespace schema;

const RegisterOptions recurrent{
    "recurrent",
    {option("output", words({"last", "all"}), "last", "h of the last step, or of every step"),
     option("reverse", boolean(), "false", "whether the series is read from its end"),
     option("bias", boolean(), "true", "whether biases are added"),
     option("init", words({"default"}) | choice_of(Family::initialiser), "default",
            "initial weights; default: model.init"),
     option("bias_init", real(), "0", "initial bias: bias_ih_l0; bias_hh_l0 begins at 0"),
     option("freeze", boolean(), "false", "whether the weights stay as they are")}};

/// Initial values as `init` has them; `bias` is that of bias_ih_l0.
void set_init(Recurrent::Options& options, const Choice& init, double bias,
              const LayerContext& context) {
  const int64_t units = options.units;
  // PyTorch draws everything from U(+-1 / sqrt(units)); the others see the fans of one gate.
  const int64_t in = init.name == "pytorch" ? units : context.in.back();
  const auto name = [&](const char* suffix) { return cat(context.path, suffix); };
  options.weight_ih = weight_init(init, {in, units}, context.seed, name(".weight_ih_l0"));
  options.weight_hh = weight_init(init, {units, units}, context.seed, name(".weight_hh_l0"));
  options.bias_ih = bias_init(init, bias, {units, units}, context.seed, name(".bias_ih_l0"));
  options.bias_hh = bias_init(init, 0, {units, units}, context.seed, name(".bias_hh_l0"));
}

constexpr RecurrentKind kLstm{"lstm", 4, lstm}, kGru{"gru", 3, gru}, kRnn{"rnn", 1, rnn};

std::unique_ptr<Layer> make_recurrent(const RecurrentKind& kind, const Choice& choice,
                                      const LayerContext& context) {
  Recurrent::Options options{.units = choice.option("units").as_int(),
                             .last = choice.option("output").is("last"),
                             .reverse = choice.option("reverse").as_bool(),
                             .bias = choice.option("bias").as_bool(),
                             .frozen = choice.option("freeze").as_bool()};
  const Value& own = choice.option("init");
  set_init(options, as_choice(own.is("default") ? *context.init : own),
           choice.option("bias_init").as_real(), context);
  return std::make_unique<Recurrent>(context, kind, std::move(options), layer_name(choice));
}

RegisterLayer register_recurrent(const RecurrentKind& kind, const std::string& doc) {
  return {
      {kind.name, doc, {required("units", integer("[1, inf)"), "width of h")}, {"recurrent"}, ""},
      [&kind](const Choice& choice, const LayerContext& context) {
        return make_recurrent(kind, choice, context);
      }};
}

const RegisterLayer lstm_layer = register_recurrent(kLstm, "LSTM over a series, gates i f g o"),
                    gru_layer = register_recurrent(kGru, "GRU over a series, gates r z n"),
                    rnn_layer = register_recurrent(kRnn, "plain recurrent layer, tanh");

const RegisterLayer repeat_layer{{"repeat",
                                  "a series of the same vector, for a recurrent decoder",
                                  {required("length", integer("[1, inf)"), "steps")},
                                  {},
                                  ""},
                                 [](const Choice& choice, const LayerContext& context) {
                                   return std::make_unique<Repeat>(context,
                                                                   choice.option("length").as_int(),
                                                                   layer_name(choice));
                                 }};

/// [rows, 1, channels] where x repeats that at every step, else an empty Var: then one product does for all steps.
Var repeated_step(Var x) {
  const Node& node = x.graph->node(x);
  if (!node.op || !node.op.as<BroadcastTo>()) return {};
  const Var source = node.inputs.front();
  return source.shape() == Shape{x.shape()[0], 1, x.shape()[2]} ? source : Var{};
}

}  // namespace

Recurrent::Recurrent(const LayerContext& context, const RecurrentKind& kind, Options options,
                     std::string name)
    : Layer(context.path, std::move(name)),
      context_(context),
      kind_(kind),
      options_(std::move(options)) {
  if (context.in.size() != 2)
    throw UserError(
        cat("model.", context.path, ": ", kind.name,
            " reads a series [time, channels] and is given ", to_string(context.in),
            "; data.shape says how rows are read, `repeat` makes a series of a vector"));
  out_ = options_.last ? Shape{options_.units} : Shape{context.in[0], options_.units};
}

Parameter Recurrent::parameter(const std::string& suffix, Shape shape, const Init& init) const {
  const bool bias = shape.size() == 1;
  return {
      cat(path(), ".", suffix, "_l0"), {DType::f32, std::move(shape)}, init, bias, options_.frozen};
}

std::vector<Parameter> Recurrent::parameters() const {
  const int64_t wide = kind_.gates * options_.units;
  std::vector<Parameter> all{parameter("weight_ih", {wide, context_.in[1]}, options_.weight_ih),
                             parameter("weight_hh", {wide, options_.units}, options_.weight_hh)};
  if (options_.bias) {
    all.push_back(parameter("bias_ih", {wide}, options_.bias_ih));
    all.push_back(parameter("bias_hh", {wide}, options_.bias_hh));
  }
  return all;
}

Var Recurrent::apply(Build& build, Var x) const {
  Graph::Scope scope(build.graph, path());
  std::vector<Var> leaves;
  for (const Parameter& p : parameters()) leaves.push_back(leaf(build, p));
  const Var w_ih = leaves[0], w_hh = leaves[1], b_ih = options_.bias ? leaves[2] : Var{},
            b_hh = options_.bias ? leaves[3] : Var{};
  const int64_t rows = x.shape()[0], steps = context_.in[0], channels = context_.in[1];
  x = reshape(x, {rows, steps, channels});
  const Var once = repeated_step(x);
  if (once)
    x = once;
  else if (options_.reverse)
    x = flip(x, 1);
  const Var gates = linear(reshape(x, {-1, channels}), w_ih, b_ih);
  Var h = kind_.walk(reshape(gates, {rows, x.shape()[1], -1}), w_hh, b_hh, steps);
  if (options_.last)
    h = reshape(slice(h, 1, steps - 1, steps), {rows, options_.units});
  else if (options_.reverse)
    h = flip(h, 1);
  tap(build, h);
  return h;
}

std::string Recurrent::description() const {
  std::string text = kind_.name;
  if (options_.last) text += ", last step";
  if (options_.reverse) text += ", reversed";
  if (options_.frozen) text += ", frozen";
  return text;
}

Layers Recurrent::same_width(const Mirrored& mirrored) const {
  if (mirrored.tie != Tie::none)
    throw UserError(cat("model.decoder: mirror: ", path(), " (", kind_.name,
                        ") has weights that no transpose undoes; say `mirror: untied`"));
  Layers layers;
  LayerContext context = context_;
  context.path = mirrored.path;
  context.in = mirrored.in;
  const int64_t steps = context_.in[0];
  if (!options_.last) {  // a dense layer before it gives the series as one vector
    context.in = {steps, elements(mirrored.in) / steps};
  } else {
    layers.push_back(std::make_unique<Repeat>(context, steps));
    context.path = mirrored.path_behind(1);
    context.in = layers.back()->output_shape();
  }
  Options options{
      .units = options_.units, .last = false, .reverse = mirrored.reverse, .bias = options_.bias};
  set_init(options, as_choice(*context.init), 0, context);
  layers.push_back(std::make_unique<Recurrent>(context, kind_, std::move(options)));
  return layers;
}

Repeat::Repeat(const LayerContext& context, int64_t length, std::string name)
    : Layer(context.path, std::move(name)), out_{length, elements(context.in)} {}

Var Repeat::apply(Build& build, Var x) const {
  Graph::Scope scope(build.graph, path());
  const int64_t rows = x.shape()[0];
  const Var y = broadcast_to(reshape(x, {rows, 1, out_[1]}), {rows, out_[0], out_[1]});
  tap(build, y);
  return y;
}

}  // namespace latent
