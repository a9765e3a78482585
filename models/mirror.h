// The decoder that mirrors an encoder: its blocks backwards, a block being a layer with weights and the pointwise ones behind it.
#pragma once

#include "models/layer.h"

namespace latent {

struct MirroredDecoder {
  Layers layers;
  std::unique_ptr<Layer> output;  ///< from the last layer to rows of the data's shape, linear
};

/// `chain` is the encoder and the bottleneck, `row` the data's shape, `out` that of the output
/// layer, `output` its options where they are given. Paths are decoder.N. Throws UserError naming the
/// layer that has no adjoint.
MirroredDecoder mirror(const std::vector<const Layer*>& chain, const Shape& row, const Shape& out,
                       Tie tie, const Choice* output = nullptr);

}  // namespace latent
