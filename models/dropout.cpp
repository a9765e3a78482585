// The dropout layer: acts in training only, and belongs to the block before it.
#include "kernels/ops.h"
#include "models/layer.h"

namespace latent {
namespace {

using namespace schema;

class DropoutLayer final : public Layer {
 public:
  DropoutLayer(const std::string& path, const Shape& shape, double rate, std::string name = "")
      : Layer(path, std::move(name)), shape_(shape), rate_(rate) {}

  Var apply(Build& build, Var x) const override {
    Graph::Scope scope(build.graph, path());
    const bool acts = build.training && build.seed && rate_ > 0;
    const Var y =
        acts ? dropout(build.seed, build.step, x, rate_, build.stream(path() + ".dropout")) : x;
    tap(build, y);
    return y;
  }
  const Shape& output_shape() const override { return shape_; }
  std::string description() const override { return cat("dropout ", rate_); }
  bool begins_block() const override { return false; }
  std::unique_ptr<Layer> copy(const std::string& path, const Shape& in) const override {
    return std::make_unique<DropoutLayer>(path, in, rate_);
  }

 private:
  Shape shape_;
  double rate_;
};

const RegisterLayer dropout_layer{
    {"dropout",
     "in training each value is 0 with this probability, else divided by what is left (Srivastava "
     "et al. 2014)",
     {required("rate", real("[0, 1)"), "share of values that are dropped")},
     {},
     ""},
    [](const Choice& choice, const LayerContext& context) {
      return std::make_unique<DropoutLayer>(context.path, context.in,
                                            choice.option("rate").as_real(), layer_name(choice));
    }};

}  // namespace
}  // namespace latent
