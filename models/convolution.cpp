#include "models/convolution.h"

#include <stdexcept>

#include "kernels/ops.h"
#include "models/output.h"

namespace latent {
namespace {

using namespace schema;

std::vector<Option> options_of_conv() {
  return {required("channels", integer("[1, inf)"), "channels of the output"),
          option("kernel", integer("[1, inf)"), "3", "height and width of the kernel"),
          option("stride", integer("[1, inf)"), "1", "how far the kernel moves"),
          option("padding", words({"same", "valid"}), "same",
                 "same: zeros around the map, so that its size is only divided by the stride")};
}

const RegisterLayer conv{
    {"conv", "convolution: f(conv(x, W) + b)", options_of_conv(), {"weighted"}, ""},
    [](const Choice& choice, const LayerContext& context) {
      return make_convolution(choice, context);
    }};
const RegisterLayer conv_transpose{{"conv_transpose",
                                    "transposed convolution: size times stride",
                                    options_of_conv(),
                                    {"weighted"},
                                    ""},
                                   [](const Choice& choice, const LayerContext& context) {
                                     return make_convolution(choice, context);
                                   }};

/// Inputs of an output and outputs of an input, times the kernel's area; of a transposed kernel the other way round,
/// which is how PyTorch and Keras count.
Fan fan_of(int64_t in, int64_t out, const Window& window, bool transposed) {
  if (transposed) std::swap(in, out);
  return {in * window.taps(), out * window.taps()};
}

Fan fan_of(const LayerContext& context, const Convolution::Options& o) {
  return fan_of(context.in[2], o.channels, o.window, o.transposed);
}

Convolution::Options read_options(const Choice& choice, const LayerContext& context,
                                  int64_t channels) {
  const int64_t kernel = choice.option("kernel").as_int(),
                stride = choice.option("stride").as_int();
  const Value& padding = choice.option("padding");
  const Padding kind = padding.is("same") ? Padding::same : Padding::valid;
  Convolution::Options o{.channels = channels, .transposed = choice.name == "conv_transpose"};
  try {
    const auto window = o.transposed ? window_under : window_over;
    o.window = window({context.in[0], context.in[1]}, {kernel, kernel}, {stride, stride}, kind);
  } catch (const std::invalid_argument& e) {
    throw error_at(padding.mark(), cat("model.", context.path), cat(choice.name, ": ", e.what()));
  }
  o.weighted = read_weighted(choice, fan_of(context, o), context);
  return o;
}

}  // namespace

void require_map(const LayerContext& context, const std::string& layer) {
  if (context.in.size() != 3)
    throw UserError(cat("model.", context.path, ": ", layer,
                        " needs a map [height, width, channels], not ", to_string(context.in),
                        "; `data.shape` and the layer `reshape` make one"));
}

std::unique_ptr<Layer> make_convolution(const Choice& choice, const LayerContext& context,
                                        int64_t channels) {
  require_map(context, choice.name);
  if (channels == 0) channels = choice.option("channels").as_int();
  if (const Value* norm = choice.options.find("unit_norm"); norm && norm->as_bool())
    throw error_at(norm->mark(), cat("model.", context.path, ".unit_norm"),
                   "is for dense layers only");
  return std::make_unique<Convolution>(context, read_options(choice, context, channels),
                                       layer_name(choice));
}

std::unique_ptr<Layer> plain_convolution(const LayerContext& context, int64_t channels) {
  require_map(context, "conv");
  Convolution::Options o{.channels = channels};
  o.window = window_over({context.in[0], context.in[1]}, {3, 3}, {1, 1}, Padding::same);
  o.weighted = plain_weighted(fan_of(context, o), context);
  return std::make_unique<Convolution>(context, std::move(o));
}

Convolution::Convolution(const LayerContext& context, Options options, std::string name)
    : Layer(context.path, std::move(name)), context_(context), options_(std::move(options)) {
  const int64_t(&map)[2] = options_.transposed ? options_.window.large : options_.window.small;
  out_ = {map[0], map[1], options_.channels};
}

Parameter Convolution::weight() const {
  if (options_.weighted.tied_to) return *options_.weighted.tied_to;
  const Window& w = options_.window;
  const int64_t in = context_.in[2], out = options_.channels;
  const Shape shape{options_.transposed ? in : out, w.kernel[0], w.kernel[1],
                    options_.transposed ? out : in};
  return {.name = path() + ".weight",
          .type = {DType::f32, shape},
          .init = options_.weighted.weight_init,
          .frozen = options_.weighted.frozen,
          .file = conv_weight_layout()};
}

Parameter Convolution::bias() const {
  return {.name = path() + ".bias",
          .type = {DType::f32, {options_.channels}},
          .init = options_.weighted.bias_init,
          .bias = true,
          .frozen = options_.weighted.frozen};
}

std::vector<Parameter> Convolution::parameters() const {
  std::vector<Parameter> result;
  if (!options_.weighted.tied_to) result.push_back(weight());
  if (options_.weighted.bias) result.push_back(bias());
  return result;
}

Var Convolution::apply(Build& build, Var x) const {
  Graph::Scope scope(build.graph, path());
  const Var w = leaf(build, weight());
  const Var b = options_.weighted.bias ? leaf(build, bias()) : Var{};
  const Var pre = conv_layer(x, w, b, options_.window, options_.transposed);
  return activate(*this, build, pre, options_.weighted.activation);
}

std::string Convolution::description() const {
  return cat(options_.transposed ? "conv_transpose " : "conv ", to_string(options_.window),
             describe(options_.weighted));
}

std::unique_ptr<Layer> Convolution::adjoint(const Mirrored& mirrored) const {
  LayerContext context = context_;
  context.path = mirrored.path;
  context.in = out_;
  if (mirrored.tie != Tie::none) return tied_adjoint(mirrored, context);
  if (mirrored.given) return given_output(*mirrored.given, context, mirrored.out);
  const Window& w = options_.window;
  const bool keeps_size = w.large[0] == w.small[0] && w.large[1] == w.small[1];
  Options o{.channels = mirrored.out[2], .window = w, .transposed = !options_.transposed};
  // A convolution that changes no size is mirrored by one, not by its transpose.
  if (keeps_size && w.stride[0] == 1 && w.stride[1] == 1) o.transposed = options_.transposed;
  o.weighted = plain_weighted(fan_of(context, o), context);
  o.weighted.bias = options_.weighted.bias;
  o.weighted.activation = mirrored.like ? mirrored.like->activation() : nullptr;
  return std::make_unique<Convolution>(context, std::move(o));
}

/// The transpose with the same weight, which lies in the same order for both.
std::unique_ptr<Layer> Convolution::tied_adjoint(const Mirrored& mirrored,
                                                 const LayerContext& context) const {
  refuse_contradictions(mirrored);
  Options o{
      .channels = mirrored.out[2], .window = options_.window, .transposed = !options_.transposed};
  if (const Choice* given = mirrored.given) {
    const Value& activation = given->option("activation");
    if (given->name != (o.transposed ? "conv_transpose" : "conv"))
      throw error_at(
          activation.mark(), "model.output",
          cat("the decoder is tied: its output layer is the transpose of ", path(), ", a ",
              o.transposed ? "conv_transpose" : "conv", ", not a ", given->name));
    const std::unique_ptr<Layer> own = given_output(*given, context, mirrored.out);
    const auto& layer = dynamic_cast<const Convolution&>(*own);
    if (!(layer.options_.window == o.window))
      throw error_at(activation.mark(), "model.output",
                     cat("the decoder is tied: its kernel and stride are those of ", path(), ", ",
                         to_string(o.window)));
    o.weighted = layer.options_.weighted;
  } else {
    o.weighted = plain_weighted(fan_of(context, o), context);
    o.weighted.bias = options_.weighted.bias;
    o.weighted.activation = mirrored.like ? mirrored.like->activation() : nullptr;
  }
  o.weighted.weight_init = options_.weighted.weight_init;
  if (mirrored.tie == Tie::weights) o.weighted.tied_to = weight();
  return std::make_unique<Convolution>(context, std::move(o));
}

}  // namespace latent
