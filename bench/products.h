// The bare matrix products of a training step by oneDNN, without anything around them: what a step on the CPU is
// measured against.
#pragma once

#include <functional>
#include <span>

#include "core/tensor/type.h"

namespace latent {

/// One round of all products of a chain of dense layers, widths[0] the input's: forward and weight gradient of each,
/// input gradient of each but the first. Primitives and memory are made once, and oneDNN takes all threads as it likes.
/// Empty in a build without oneDNN.
std::function<void()> onednn_products(std::span<const int64_t> widths, int64_t batch);

}  // namespace latent
