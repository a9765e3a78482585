#include "models/reshape.h"

#include "kernels/ops.h"

namespace latent {
namespace {

using namespace schema;

/// Whether a row's elements have another order with the channels first.
bool has_order(const Shape& row) { return row.size() == 3 && row[2] > 1 && row[0] * row[1] > 1; }

Shape behind_rows(Var x, const Shape& row) {
  Shape shape{x.shape()[0]};
  shape.insert(shape.end(), row.begin(), row.end());
  return shape;
}

const RegisterLayer flatten{
    {"flatten", "a map as a vector, channels first as PyTorch has it", {}, {}, ""},
    [](const Choice& choice, const LayerContext& context) {
      return std::make_unique<ReshapeLayer>(context, Shape{elements(context.in)},
                                            layer_name(choice));
    }};
const RegisterLayer reshape_layer{
    {"reshape",
     "the same elements in another shape; maps channels first as PyTorch has them",
     {required("shape", list_of(integer("[1, inf)")), "of a row: [height, width, channels]")},
     {},
     ""},
    [](const Choice& choice, const LayerContext& context) {
      const Value& shape = choice.option("shape");
      Shape out;
      for (const Value& size : shape.list()) out.push_back(size.as_int());
      if (elements(out) != elements(context.in))
        throw error_at(shape.mark(), cat("model.", context.path, ".shape"),
                       cat(to_string(out), " has ", elements(out), " elements, the layer before ",
                           elements(context.in), ", ", to_string(context.in)));
      return std::make_unique<ReshapeLayer>(context, std::move(out), layer_name(choice));
    }};

}  // namespace

ReshapeLayer::ReshapeLayer(const LayerContext& context, Shape out, std::string name)
    : Layer(context.path, std::move(name)), in_(context.in), out_(std::move(out)) {}

bool ReshapeLayer::keeps_order() const {
  return in_ == out_ || (!has_order(in_) && !has_order(out_));
}

Var ReshapeLayer::apply(Build& build, Var x) const {
  Graph::Scope scope(build.graph, path());
  if (!keeps_order()) {
    if (has_order(in_)) x = channels_first(x);
    if (has_order(out_)) {
      x = reshape(x, behind_rows(x, {out_[2], out_[0], out_[1]}));
      x = channels_last(x);
    }
  }
  const Var y = reshape(x, behind_rows(x, out_));
  tap(build, y);
  return y;
}

std::string ReshapeLayer::description() const { return out_.size() == 1 ? "flatten" : "reshape"; }

std::unique_ptr<Layer> ReshapeLayer::adjoint(const Mirrored& mirrored) const {
  return std::make_unique<ReshapeLayer>(LayerContext{.path = mirrored.path, .in = out_}, in_);
}

}  // namespace latent
