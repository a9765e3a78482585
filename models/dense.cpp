#include "models/dense.h"

#include <cmath>

#include "kernels/ops.h"

namespace latent {
namespace {

using namespace schema;

const RegisterOptions weighted{
    "weighted",
    {option("activation", schema::name_of(Family::activation), "linear",
            "applied to the layer's output"),
     option("bias", boolean(), "true", "whether a bias is added"),
     option("init", words({"default"}) | choice_of(Family::initialiser), "default",
            "initial weights; default: model.init"),
     option("bias_init", real(), "0", "initial bias"),
     option("unit_norm", boolean(), "false",
            "each unit's weights are kept at norm 1: rows of the weight, in the decoder and the "
            "output layer its columns, the directions in the data that the units stand for"),
     option("freeze", boolean(), "false", "whether the weights stay as they are")}};

std::unique_ptr<Layer> make_dense(const Choice& choice, const LayerContext& context) {
  return std::make_unique<Dense>(
      context, dense_options(choice, choice.option("units").as_int(), context), layer_name(choice));
}

const RegisterLayer dense{{"dense",
                           "fully connected: f(x W' + b)",
                           {required("units", integer("[1, inf)") | list_of(integer("[1, inf)")),
                                     "width; a list makes one layer for each")},
                           {"weighted"},
                           ""},
                          make_dense};

/// What the YAML asks of an output layer whose weights are not its own.
void refuse_contradictions(const Mirrored& mirrored) {
  if (!mirrored.given) return;
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

Init transposed(const Init& init, int64_t rows, int64_t columns) {
  if (!init) return {};
  return [=](HostTensor& t) {
    HostTensor source(Type{t.type.dtype, {columns, rows}});
    init(source);
    const size_t size = size_of(t.type.dtype);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        std::copy_n(source.bytes.data() + (c * rows + r) * size, size,
                    t.bytes.data() + (r * columns + c) * size);
  };
}

/// Brings the rows or columns of w [rows, cols] to norm 1; zeros stay.
template <class T>
void make_unit(std::span<T> w, int64_t rows, int64_t cols, bool columns) {
  const int64_t vectors = columns ? cols : rows, size = columns ? rows : cols;
  for (int64_t v = 0; v < vectors; ++v) {
    const auto at = [&](int64_t i) -> T& { return w[columns ? i * cols + v : v * cols + i]; };
    double squares = 0;
    for (int64_t i = 0; i < size; ++i) squares += double(at(i)) * at(i);
    if (squares == 0) continue;
    for (int64_t i = 0; i < size; ++i) at(i) = static_cast<T>(at(i) / std::sqrt(squares));
  }
}

Init unit_init(const Init& init, UnitVectors unit) {
  if (unit == UnitVectors::none || !init) return init;
  return [=](HostTensor& t) {
    init(t);
    const bool columns = unit == UnitVectors::columns;
    if (t.type.dtype == DType::f64)
      make_unit(t.as<double>(), t.type.dim(1), t.type.dim(0), columns);
    else
      make_unit(t.as<float>(), t.type.dim(1), t.type.dim(0), columns);
  };
}

}  // namespace

Dense::Options dense_options(const Choice& choice, int64_t units, const LayerContext& context) {
  Dense::Options options;
  options.units = units;
  options.activation = find_pointwise(choice.option("activation").as_string());
  options.bias = choice.option("bias").as_bool();
  options.frozen = choice.option("freeze").as_bool();
  if (choice.option("unit_norm").as_bool())
    options.unit = context.path.starts_with("decoder.") ? UnitVectors::columns : UnitVectors::rows;
  const Value& own = choice.option("init");
  const Choice init = as_choice(own.is("default") ? *context.init : own);
  const Fan fan{elements(context.in), units};
  options.weight_init = weight_init(init, fan, context.seed, context.path + ".weight");
  options.bias_init = bias_init(init, choice.option("bias_init").as_real(), fan, context.seed,
                                context.path + ".bias");
  return options;
}

Dense::Options plain_options(int64_t units, const LayerContext& context) {
  const Fan fan{elements(context.in), units};
  const Choice init = as_choice(*context.init);
  return {.units = units,
          .weight_init = weight_init(init, fan, context.seed, context.path + ".weight"),
          .bias_init = bias_init(init, 0, fan, context.seed, context.path + ".bias")};
}

Dense::Dense(const LayerContext& context, Options options, std::string name)
    : Layer(context.path, std::move(name)),
      context_(context),
      in_(elements(context.in)),
      out_{options.units},
      options_(std::move(options)) {}

Parameter Dense::weight() const {
  if (options_.tied_to) return *options_.tied_to;
  return {.name = path() + ".weight",
          .type = {DType::f32, {options_.units, in_}},
          .init = unit_init(options_.weight_init, options_.unit),
          .frozen = options_.frozen,
          .unit = options_.unit};
}

Parameter Dense::bias() const {
  return {
      path() + ".bias", {DType::f32, {options_.units}}, options_.bias_init, true, options_.frozen};
}

std::vector<Parameter> Dense::parameters() const {
  std::vector<Parameter> result;
  if (!options_.tied_to) result.push_back(weight());
  if (options_.bias) result.push_back(bias());
  return result;
}

Var Dense::apply(Build& build, Var x) const {
  Graph::Scope scope(build.graph, path());
  if (x.type().rank() != 2) x = reshape(x, {x.shape()[0], -1});
  const Var w = leaf(build, weight());
  const Var b = options_.bias ? leaf(build, bias()) : Var{};
  const Var pre = linear(x, w, b, /*trans_w=*/!options_.tied_to);
  const bool plain = !options_.activation || options_.activation->name == "linear";
  const Var y = plain ? pre : latent::apply(options_.activation->forward, {pre});
  tap(build, pre, ".pre");
  tap(build, y);
  return y;
}

std::string Dense::description() const {
  std::string text = "dense";
  if (options_.activation && options_.activation->name != "linear")
    text += ", " + options_.activation->name;
  if (options_.tied_to) text += ", tied to " + options_.tied_to->name;
  if (options_.frozen) text += ", frozen";
  return text;
}

std::unique_ptr<Layer> Dense::adjoint(const Mirrored& mirrored) const {
  LayerContext context = context_;
  context.path = mirrored.path;
  context.in = out_;
  Options options = mirrored.given ? dense_options(*mirrored.given, elements(mirrored.out), context)
                                   : plain_options(elements(mirrored.out), context);
  if (!mirrored.given) options.bias = options_.bias;
  if (auto* like = dynamic_cast<const Dense*>(mirrored.like))
    options.activation = like->options_.activation;
  if (mirrored.tie != Tie::none) refuse_contradictions(mirrored);
  if (mirrored.tie == Tie::weights) options.tied_to = weight();
  if (mirrored.tie == Tie::at_start)
    options.weight_init = transposed(weight().init, options.units, options_.units);
  return std::make_unique<Dense>(context, std::move(options));
}

}  // namespace latent
