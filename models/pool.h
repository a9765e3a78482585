// The layers that change the size of a map [height, width, channels] and have no weights: max_pool, avg_pool, upsample.
#pragma once

#include "kernels/conv/window.h"
#include "models/layer.h"

namespace latent {

class Pool final : public Layer {
 public:
  enum class Kind { max, average };
  Pool(const LayerContext& context, Kind kind, Window window, std::string name = "");

  Var apply(Build& build, Var x) const override;
  const Shape& output_shape() const override { return out_; }
  std::string description() const override;
  /// Upsampling to the nearest.
  std::unique_ptr<Layer> adjoint(const Mirrored& mirrored) const override;

 private:
  Kind kind_;
  Window window_;
  Shape out_;
};

class Upsample final : public Layer {
 public:
  Upsample(const LayerContext& context, int64_t factor, bool bilinear, std::string name = "");

  Var apply(Build& build, Var x) const override;
  const Shape& output_shape() const override { return out_; }
  std::string description() const override;
  /// The mean of what was one element.
  std::unique_ptr<Layer> adjoint(const Mirrored& mirrored) const override;

 private:
  int64_t factor_;
  bool bilinear_;
  Shape out_;
};

}  // namespace latent
