// The output layer: what stands behind the decoder's last layer and ends at the data's shape.
#pragma once

#include "models/layer.h"

namespace latent {

/// `output: auto`: dense, or behind a map conv 3x3. `row` is the data's shape. Throws UserError where the map is not of
/// the data's height and width.
std::unique_ptr<Layer> automatic_output(const LayerContext& context, const Shape& row);

/// The layer that `output` describes, whose size is not among its options. Throws UserError where it does not come to
/// `out`.
std::unique_ptr<Layer> given_output(const Choice& choice, const LayerContext& context,
                                    const Shape& out);

}  // namespace latent
