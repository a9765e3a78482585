// The dense layer: y = f(x W' + b), W [out, in] as PyTorch's Linear. Also the dense bottleneck and output layer. Maps
// lie in memory with their channels last; in files the weight's rows and columns have them first, as PyTorch does.
#pragma once

#include <optional>

#include "kernels/functions.h"
#include "models/initialiser.h"
#include "models/layer.h"
#include "models/weighted.h"

namespace latent {

class Dense final : public Layer {
 public:
  struct Options {
    int64_t units = 1;
    Shape map = {};                               ///< an output row's shape; empty: [units]
    const PointwiseFamily* activation = nullptr;  ///< nullptr: linear
    bool bias = true;
    bool frozen = false;
    UnitVectors unit = UnitVectors::none;
    Init weight_init = {}, bias_init = {};
    /// Axes of a row in front of the one that it works on: a series has the same layer at each step.
    Shape leading = {};
    /// Tied: another layer's weight, used transposed; this one has none of its own.
    std::optional<Parameter> tied_to = {};
  };

  Dense(const LayerContext& context, Options options, std::string name = "");

  Var apply(Build& build, Var x) const override;
  const Shape& output_shape() const override { return out_; }
  std::vector<Parameter> parameters() const override;
  std::string description() const override;
  const PointwiseFamily* activation() const override { return options_.activation; }
  std::unique_ptr<Layer> adjoint(const Mirrored& mirrored) const override;

 private:
  Parameter weight() const;
  Parameter bias() const;

  LayerContext context_;
  int64_t in_;
  Shape out_;
  Options options_;
};

/// The layer at each step of a series [time, channels], as the YAML gives it, or linear.
std::unique_ptr<Layer> dense_per_step(LayerContext context, int64_t units, const Choice* given);

/// Linear, with a bias, and weights as model.init has them.
Dense::Options plain_options(int64_t units, const LayerContext& context);
Dense::Options plain_options(const Shape& out, const LayerContext& context);
/// The options that every layer with weights has, read from a choice with the group "weighted".
Dense::Options dense_options(const Choice& choice, int64_t units, const LayerContext& context);
Dense::Options dense_options(const Choice& choice, const Shape& out, const LayerContext& context);

}  // namespace latent
