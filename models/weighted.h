// What layers with weights share: their options, the group "weighted", and where their weights lie in files.
#pragma once

#include <optional>

#include "kernels/functions.h"
#include "models/initialiser.h"
#include "models/layer.h"

namespace latent {

struct Weighted {
  const PointwiseFamily* activation = nullptr;  ///< nullptr: linear
  bool bias = true;
  bool frozen = false;
  Init weight_init = {}, bias_init = {};
  /// Tied: another layer's weight; this one has none of its own.
  std::optional<Parameter> tied_to = {};
};

/// Linear, with a bias, and weights as model.init has them.
Weighted plain_weighted(Fan fan, const LayerContext& context);
Weighted read_weighted(const Choice& choice, Fan fan, const LayerContext& context);

/// f(pre) with the taps of both.
Var activate(const Layer& layer, Build& build, Var pre, const PointwiseFamily* activation);
/// ", relu, tied to encoder.0.weight, frozen": what a layer's description ends with.
std::string describe(const Weighted& options);

/// In files a convolution's weight [filters, height, width, channels] is [filters, channels, height, width].
FileLayout conv_weight_layout();
/// Of a dense weight [elements of out, elements of in], and of a bias [elements of out]: rows and columns that are a
/// map [height, width, channels] have its channels first in files.
FileLayout dense_weight_layout(const Shape& out, const Shape& in);
FileLayout dense_bias_layout(const Shape& out);

/// Throws where `given`, the output layer's own options, asks of a tied decoder for weights of its own.
void refuse_contradictions(const Mirrored& mirrored);

}  // namespace latent
