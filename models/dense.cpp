#include "models/dense.h"

#include <cmath>

#include "kernels/ops.h"
#include "models/output.h"

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

namespace {

Dense::Options with_units(int64_t units, Weighted&& w) {
  return {.units = units,
          .activation = w.activation,
          .bias = w.bias,
          .frozen = w.frozen,
          .weight_init = std::move(w.weight_init),
          .bias_init = std::move(w.bias_init)};
}

Dense::Options with_map(Dense::Options options, const Shape& out) {
  options.map = out;
  return options;
}

}  // namespace

Dense::Options dense_options(const Choice& choice, int64_t units, const LayerContext& context) {
  Dense::Options options =
      with_units(units, read_weighted(choice, {elements(context.in), units}, context));
  if (choice.option("unit_norm").as_bool())
    options.unit = context.path.starts_with("decoder.") ? UnitVectors::columns : UnitVectors::rows;
  return options;
}

Dense::Options dense_options(const Choice& choice, const Shape& out, const LayerContext& context) {
  return with_map(dense_options(choice, elements(out), context), out);
}

std::unique_ptr<Layer> dense_per_step(LayerContext context, int64_t units, const Choice* given) {
  Shape leading(context.in.begin(), context.in.end() - 1);
  context.in = {context.in.back()};
  Dense::Options options =
      given ? dense_options(*given, units, context) : plain_options(units, context);
  options.leading = std::move(leading);
  return std::make_unique<Dense>(context, std::move(options));
}

Dense::Options plain_options(int64_t units, const LayerContext& context) {
  return with_units(units, plain_weighted({elements(context.in), units}, context));
}

Dense::Options plain_options(const Shape& out, const LayerContext& context) {
  return with_map(plain_options(elements(out), context), out);
}

Dense::Dense(const LayerContext& context, Options options, std::string name)
    : Layer(context.path, std::move(name)),
      context_(context),
      in_(elements(context.in)),
      out_(options.map.empty() ? options.leading : options.map),
      options_(std::move(options)) {
  if (options_.map.empty()) out_.push_back(options_.units);
}

Parameter Dense::weight() const {
  if (options_.tied_to) return *options_.tied_to;
  return {.name = path() + ".weight",
          .type = {DType::f32, {options_.units, in_}},
          .init = unit_init(options_.weight_init, options_.unit),
          .frozen = options_.frozen,
          .file = dense_weight_layout(out_, context_.in),
          .unit = options_.unit};
}

Parameter Dense::bias() const {
  return {.name = path() + ".bias",
          .type = {DType::f32, {options_.units}},
          .init = options_.bias_init,
          .bias = true,
          .frozen = options_.frozen,
          .file = dense_bias_layout(out_)};
}

std::vector<Parameter> Dense::parameters() const {
  std::vector<Parameter> result;
  if (!options_.tied_to) result.push_back(weight());
  if (options_.bias) result.push_back(bias());
  return result;
}

Var Dense::apply(Build& build, Var x) const {
  Graph::Scope scope(build.graph, path());
  const int64_t rows = x.shape()[0];
  x = reshape(x, {options_.leading.empty() ? rows : int64_t{-1}, in_});
  const Var w = leaf(build, weight());
  const Var b = options_.bias ? leaf(build, bias()) : Var{};
  Var pre = linear(x, w, b, /*trans_w=*/!options_.tied_to);
  if (out_.size() > 1) {
    Shape shape{rows};
    shape.insert(shape.end(), out_.begin(), out_.end());
    pre = reshape(pre, shape);
  }
  return activate(*this, build, pre, options_.activation);
}

std::string Dense::description() const {
  return (options_.leading.empty() ? "dense" : "dense per step") +
         describe(Weighted{.activation = options_.activation,
                           .frozen = options_.frozen,
                           .tied_to = options_.tied_to});
}

std::unique_ptr<Layer> Dense::adjoint(const Mirrored& mirrored) const {
  LayerContext context = context_;
  context.path = mirrored.path;
  context.in = out_;
  if (mirrored.given && mirrored.given->name != "dense") {
    if (mirrored.tie == Tie::none) return given_output(*mirrored.given, context, mirrored.out);
    throw error_at(mirrored.given->option("activation").mark(), "model.output",
                   cat("the decoder is tied: its output layer is the transpose of ", path(),
                       ", a dense layer"));
  }
  Options options = mirrored.given ? dense_options(*mirrored.given, mirrored.out, context)
                                   : plain_options(mirrored.out, context);
  if (!mirrored.given) options.bias = options_.bias;
  if (mirrored.like) options.activation = mirrored.like->activation();
  refuse_contradictions(mirrored);
  if (mirrored.tie == Tie::weights) options.tied_to = weight();
  if (mirrored.tie == Tie::at_start)
    options.weight_init = transposed(weight().init, options.units, options_.units);
  return std::make_unique<Dense>(context, std::move(options));
}

}  // namespace latent
