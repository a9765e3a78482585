// A convolution as every backend sees it. Three ops make the set that differentiation stays within; each is the
// gradient of the other two, as all are derivatives of the one number
//   sum over n, p, q, o, i, j, c of  small[n, p, q, o] weight[o, i, j, c] large[n, p s - b + i, q s - b + j, c].
#pragma once

#include "kernels/conv/window.h"
#include "kernels/matmul/gemm.h"

namespace latent {

enum class ConvPass {
  forward,     ///< (large, weight) -> small
  transposed,  ///< (small, weight) -> large: the gradient in the data, and the transposed convolution
  weight,      ///< (large, small) -> weight
};

/// large is [rows, large, channels], small [rows, small, filters], weight [filters, kernel, channels].
struct ConvProblem {
  Window window;
  int64_t rows = 0, channels = 0, filters = 0;
  int64_t count = 1;  ///< problems that differ in leading axes
  BatchAxes batch;    ///< how these walk through the two operands, in whole problems

  LATENT_HD int64_t large_row() const { return window.large_area() * channels; }
  LATENT_HD int64_t small_row() const { return window.small_area() * filters; }
  LATENT_HD int64_t weights() const { return filters * window.taps() * channels; }
  /// Multiplications and additions, taps in the padding counted.
  double flops() const {
    return 2.0 * static_cast<double>(count * rows * small_row() * window.taps() * channels);
  }
};

/// On CUDA a small convolution is one launch of ours with all that stands behind it, and so is one of maps with a single
/// channel, which libraries pad to many; others are one of cuDNN's and, where something stands behind it, a pass over
/// what it made.
inline bool conv_in_library(const ConvProblem& p) {
  constexpr double kOwnFlops = 1e8;
  return p.count == 1 && p.channels > 1 && p.filters > 1 && p.flops() >= kOwnFlops;
}

/// Our kernels for maps with a single channel keep that much in shared memory.
inline constexpr int kMostChannelTaps = 25, kMostChannelWeights = 4096;

/// Whether they take it (one_channel_gpu.h).
inline bool one_channel_on_gpu(const ConvProblem& p) {
  return p.count == 1 && (p.channels == 1 || p.filters == 1) &&
         p.window.taps() <= kMostChannelTaps && p.weights() <= kMostChannelWeights;
}

/// The type of what `pass` makes of its two operands. Maps are [..., rows, height, width, channels] and weights
/// [..., filters, height, width, channels]; leading axes broadcast from the right. Throws op_error(op, ...).
Type conv_type(std::string_view op, Types in, const Window& window, ConvPass pass);

/// The problem of types that conv_type accepts. Leading axes of a map against one weight are rows.
ConvProblem conv_problem(Types in, const Window& window, ConvPass pass);

}  // namespace latent
