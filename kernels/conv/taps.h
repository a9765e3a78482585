// Which element each tap of a window reads, from the number of a position. For .cu files only.
#pragma once

#include "kernels/conv/divisor.h"
#include "kernels/conv/problem.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// Positions are numbered over rows, height and width; -1 is the padding.
struct ConvTaps {
  ConvProblem p;
  Divisor channels, filters, kernel_width;
  Divisor large_width, large_height, small_width, small_height, stride[2];

  explicit ConvTaps(const ConvProblem& problem)
      : p(problem),
        channels(p.channels),
        filters(p.filters),
        kernel_width(p.window.kernel[1]),
        large_width(p.window.large[1]),
        large_height(p.window.large[0]),
        small_width(p.window.small[1]),
        small_height(p.window.small[0]),
        stride{Divisor(p.window.stride[0]), Divisor(p.window.stride[1])} {}

  /// The large position that a tap of a small one reads.
  LATENT_HD int64_t large_of(uint32_t position, uint32_t tap) const {
    const Window& w = p.window;
    const uint32_t j = kernel_width.split(tap);
    const uint32_t x = small_width.split(position), y = small_height.split(position);
    const int64_t h = y * w.stride[0] - w.before[0] + tap;
    const int64_t v = x * w.stride[1] - w.before[1] + j;
    if (h < 0 || h >= w.large[0] || v < 0 || v >= w.large[1]) return -1;
    return (position * w.large[0] + h) * w.large[1] + v;
  }

  /// The small position whose tap reads a large one.
  LATENT_HD int64_t small_of(uint32_t position, uint32_t tap) const {
    const Window& w = p.window;
    const uint32_t j = kernel_width.split(tap);
    const uint32_t x = large_width.split(position), y = large_height.split(position);
    const int64_t h = y + w.before[0] - tap, v = x + w.before[1] - j;
    if (h < 0 || v < 0) return -1;
    auto top = static_cast<uint32_t>(h), left = static_cast<uint32_t>(v);
    if (stride[0].split(top) != 0 || stride[1].split(left) != 0) return -1;
    if (top >= w.small[0] || left >= w.small[1]) return -1;
    return (position * w.small[0] + top) * w.small[1] + left;
  }

  /// The element of the large map that (tap, channel) of a small position reads; 0 in the padding.
  LATENT_HD float patch(const float* large, uint32_t position, uint32_t tap) const {
    const uint32_t channel = channels.split(tap);
    const int64_t at = large_of(position, tap);
    return at < 0 ? 0 : large[at * p.channels + channel];
  }
  /// The element (filter) of the small map whose tap reads a large position; 0 where there is none.
  LATENT_HD float stop(const float* small, uint32_t position, uint32_t tap, uint32_t filter) const {
    const int64_t at = small_of(position, tap);
    return at < 0 ? 0 : small[at * p.filters + filter];
  }
};

/// The positions of a weight's gradient in slices of `span`, whose results are added up in the end.
struct ConvSlices {
  int64_t span, count;
};

}  // namespace LATENT_BACKEND
}  // namespace latent
