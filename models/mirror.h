// The decoder that mirrors an encoder: its blocks backwards, a block being a layer with weights and the pointwise ones behind it.
#pragma once

#include "models/layer.h"

namespace latent {

struct MirroredDecoder {
  Layers layers;
  /// From the last layer to rows of the data's shape, linear; none where the encoder begins with a layer without
  /// weights, whose mirror then is the last.
  std::unique_ptr<Layer> output;
};

/// What a decoder is mirrored with.
struct Mirroring {
  Shape row;             ///< of the data
  Shape out;             ///< of the output layer
  LayerContext context;  ///< what layers are made with, but for path and shape
  Tie tie = Tie::none;
  bool reverse = false;            ///< recurrent layers make their series from its end
  const Choice* output = nullptr;  ///< the output layer's options, where they are given
};

/// `chain` is the encoder and the bottleneck. Paths are decoder.N. Throws UserError naming the layer
/// that has no adjoint, or whose adjoint does not come back to where it began.
MirroredDecoder mirror(const std::vector<const Layer*>& chain, const Mirroring& with);

}  // namespace latent
