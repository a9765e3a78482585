// The dense layer: y = f(x W' + b), W [out, in] as PyTorch's Linear. Also the dense bottleneck and output layer.
#pragma once

#include <optional>

#include "kernels/functions.h"
#include "models/initialiser.h"
#include "models/layer.h"

namespace latent {

class Dense final : public Layer {
 public:
  struct Options {
    int64_t units = 1;
    const PointwiseFamily* activation = nullptr;  ///< nullptr: linear
    bool bias = true;
    bool frozen = false;
    UnitVectors unit = UnitVectors::none;
    Init weight_init = {}, bias_init = {};
    /// Tied: another layer's weight, used transposed; this one has none of its own.
    std::optional<Parameter> tied_to = {};
  };

  Dense(const LayerContext& context, Options options, std::string name = "");

  Var apply(Build& build, Var x) const override;
  const Shape& output_shape() const override { return out_; }
  std::vector<Parameter> parameters() const override;
  std::string description() const override;
  std::unique_ptr<Layer> adjoint(const Mirrored& mirrored) const override;

 private:
  Parameter weight() const;
  Parameter bias() const;

  LayerContext context_;
  int64_t in_;
  Shape out_;
  Options options_;
};

/// Linear, with a bias, and weights as model.init has them.
Dense::Options plain_options(int64_t units, const LayerContext& context);
/// The options that every layer with weights has, read from a choice with the group "weighted".
Dense::Options dense_options(const Choice& choice, int64_t units, const LayerContext& context);

}  // namespace latent
