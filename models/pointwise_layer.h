// Every activation is a layer by its name: `encoder: [{dense: 128}, relu]`.
#pragma once

#include "kernels/functions.h"
#include "models/layer.h"

namespace latent {

class PointwiseLayer final : public Layer {
 public:
  PointwiseLayer(const std::string& path, Shape shape, const PointwiseFamily& family,
                 std::string name = "")
      : Layer(path, std::move(name)), shape_(std::move(shape)), family_(family) {}

  Var apply(Build& build, Var x) const override {
    Graph::Scope scope(build.graph, path());
    const Var y = latent::apply(family_.forward, {x});
    tap(build, x, ".pre");
    tap(build, y);
    return y;
  }
  const Shape& output_shape() const override { return shape_; }
  std::string description() const override { return family_.name; }
  bool begins_block() const override { return false; }
  std::unique_ptr<Layer> copy(const std::string& path, const Shape& in) const override {
    return std::make_unique<PointwiseLayer>(path, in, family_);
  }

 private:
  Shape shape_;
  const PointwiseFamily& family_;
};

}  // namespace latent
