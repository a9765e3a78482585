// `strokes`: handwritten-looking digits drawn by code, so that everything can be tried without a download.
//
// A digit is the skeleton of its strokes, bent at random (its points, an elastic field, rotation, slant, scale, shift),
// then inked with a pen of random width and sharpness. Few causes act nonlinearly on many pixels: an autoencoder has
// something to find that PCA cannot express.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor/host_tensor.h"

namespace latent {

inline constexpr int kStrokesSide = 28;

struct Strokes {
  HostTensor images;            ///< u8[count, 28, 28, 1]: 0 paper, 255 ink
  std::vector<uint8_t> labels;  ///< the digit drawn, each of the ten equally likely
};

/// Row i is a function of (data_seed, i) alone, the same on every machine: fewer rows are the first of more.
Strokes make_strokes(int64_t count, uint64_t data_seed);

}  // namespace latent
