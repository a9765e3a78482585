#include "models/pool.h"

#include <stdexcept>

#include "kernels/ops.h"
#include "models/convolution.h"

namespace latent {
namespace {

using namespace schema;

std::vector<Option> options_of_pool() {
  return {
      option("size", integer("[1, inf)"), "2", "height and width of the pieces, and the stride"),
      option("padding", words({"valid", "same"}), "valid",
             "what happens to a rest: valid leaves it out, same makes pieces over the border")};
}

MakeLayer make_pool(Pool::Kind kind) {
  return [kind](const Choice& choice, const LayerContext& context) {
    require_map(context, choice.name);
    const int64_t size = choice.option("size").as_int();
    const Value& padding = choice.option("padding");
    try {
      return std::make_unique<Pool>(
          context, kind,
          window_over({context.in[0], context.in[1]}, {size, size}, {size, size},
                      padding.is("same") ? Padding::same : Padding::valid),
          layer_name(choice));
    } catch (const std::invalid_argument& e) {
      throw error_at(padding.mark(), cat("model.", context.path), cat(choice.name, ": ", e.what()));
    }
  };
}

const RegisterLayer max_pool_layer{
    {"max_pool", "the greatest of each piece", options_of_pool(), {}, ""},
    make_pool(Pool::Kind::max)};
const RegisterLayer avg_pool_layer{
    {"avg_pool", "the mean of each piece, of what lies inside the map", options_of_pool(), {}, ""},
    make_pool(Pool::Kind::average)};
const RegisterLayer upsample_layer{
    {"upsample",
     "a larger map by interpolation",
     {option("factor", integer("[1, inf)"), "2", "times height and width"),
      option("mode", words({"nearest", "bilinear"}), "nearest",
             "nearest: each element several times; bilinear: as PyTorch, align_corners false")},
     {},
     ""},
    [](const Choice& choice, const LayerContext& context) {
      require_map(context, choice.name);
      return std::make_unique<Upsample>(context, choice.option("factor").as_int(),
                                        choice.option("mode").is("bilinear"), layer_name(choice));
    }};

LayerContext behind(const Mirrored& mirrored, const Shape& in) {
  return {.path = mirrored.path, .in = in};
}

}  // namespace

Pool::Pool(const LayerContext& context, Kind kind, Window window, std::string name)
    : Layer(context.path, std::move(name)),
      kind_(kind),
      window_(window),
      out_{window.small[0], window.small[1], context.in[2]} {}

Var Pool::apply(Build& build, Var x) const {
  Graph::Scope scope(build.graph, path());
  const Var y = kind_ == Kind::max ? max_pool(x, window_) : avg_pool(x, window_);
  tap(build, y);
  return y;
}

std::string Pool::description() const {
  return cat(kind_ == Kind::max ? "max_pool " : "avg_pool ", window_.kernel[0], "x",
             window_.kernel[1]);
}

std::unique_ptr<Layer> Pool::adjoint(const Mirrored& mirrored) const {
  return std::make_unique<Upsample>(behind(mirrored, out_), window_.kernel[0], false);
}

Upsample::Upsample(const LayerContext& context, int64_t factor, bool bilinear, std::string name)
    : Layer(context.path, std::move(name)),
      factor_(factor),
      bilinear_(bilinear),
      out_{context.in[0] * factor, context.in[1] * factor, context.in[2]} {}

Var Upsample::apply(Build& build, Var x) const {
  Graph::Scope scope(build.graph, path());
  const Var y = bilinear_ ? upsample_bilinear(x, factor_) : upsample_nearest(x, factor_);
  tap(build, y);
  return y;
}

std::string Upsample::description() const {
  return cat("upsample ", factor_, "x", bilinear_ ? " bilinear" : "");
}

std::unique_ptr<Layer> Upsample::adjoint(const Mirrored& mirrored) const {
  const Window window =
      window_over({out_[0], out_[1]}, {factor_, factor_}, {factor_, factor_}, Padding::valid);
  return std::make_unique<Pool>(behind(mirrored, out_), Pool::Kind::average, window);
}

}  // namespace latent
