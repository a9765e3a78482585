// The layers conv and conv_transpose on maps [height, width, channels].
#pragma once

#include "kernels/conv/window.h"
#include "models/weighted.h"

namespace latent {

/// y = f(conv(x, W) + b) or, transposed, f(conv^T(x, W) + b). W is [filters, kernel, channels] as the untransposed
/// convolution has it, so that a transposed layer's inputs are its filters; in files it is PyTorch's [out, in, kh, kw]
/// or [in, out, kh, kw].
class Convolution final : public Layer {
 public:
  struct Options {
    int64_t channels = 1;  ///< of the output
    Window window;
    bool transposed = false;
    Weighted weighted = {};
  };

  Convolution(const LayerContext& context, Options options, std::string name = "");

  Var apply(Build& build, Var x) const override;
  const Shape& output_shape() const override { return out_; }
  std::vector<Parameter> parameters() const override;
  std::string description() const override;
  const PointwiseFamily* activation() const override { return options_.weighted.activation; }
  std::unique_ptr<Layer> adjoint(const Mirrored& mirrored) const override;

 private:
  Parameter weight() const;
  Parameter bias() const;
  std::unique_ptr<Layer> tied_adjoint(const Mirrored& mirrored, const LayerContext& context) const;

  LayerContext context_;
  Options options_;
  Shape out_;
};

/// A layer `conv` or `conv_transpose`; `channels` of the output where the choice has none.
std::unique_ptr<Layer> make_convolution(const Choice& choice, const LayerContext& context,
                                        int64_t channels = 0);
/// conv 3x3, stride 1, padding same, linear.
std::unique_ptr<Layer> plain_convolution(const LayerContext& context, int64_t channels);

/// Throws UserError unless `context.in` is a map [height, width, channels].
void require_map(const LayerContext& context, const std::string& layer);

}  // namespace latent
