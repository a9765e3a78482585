// The layers flatten and reshape: the same elements in another shape, in PyTorch's order, where a map's channels stand
// before its height and width.
#pragma once

#include "models/layer.h"

namespace latent {

class ReshapeLayer final : public Layer {
 public:
  ReshapeLayer(const LayerContext& context, Shape out, std::string name = "");

  Var apply(Build& build, Var x) const override;
  const Shape& output_shape() const override { return out_; }
  std::string description() const override;
  std::unique_ptr<Layer> adjoint(const Mirrored& mirrored) const override;

  /// Whether the elements stay where they are in memory.
  bool keeps_order() const;

 private:
  Shape in_, out_;
};

}  // namespace latent
