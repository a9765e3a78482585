// Where the taps of a kernel lie: what convolutions and pools share. Maps are [..., height, width, channels].
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "core/base/hd.h"

namespace latent {

/// A kernel that moves over a large map and makes an element of a small one at each stop. Axes are height and width.
/// Element o of the small map reads the elements o * stride - before + tap of the large one, tap in [0, kernel);
/// those outside do not count. A transposed convolution goes the other way, from the small map to the large.
struct Window {
  int64_t large[2] = {1, 1}, small[2] = {1, 1};
  int64_t kernel[2] = {1, 1}, stride[2] = {1, 1};
  int64_t before[2] = {0, 0};  ///< padding above and to the left

  LATENT_HD int64_t large_area() const { return large[0] * large[1]; }
  LATENT_HD int64_t small_area() const { return small[0] * small[1]; }
  LATENT_HD int64_t taps() const { return kernel[0] * kernel[1]; }
  /// Padding below and to the right; where the last elements of the large map are read by none, there is none.
  int64_t after(int axis) const {
    const int64_t read = (small[axis] - 1) * stride[axis] + kernel[axis] - before[axis];
    return read > large[axis] ? read - large[axis] : 0;
  }
  bool operator==(const Window&) const = default;
};

enum class Padding { valid, same };

/// The window over a large map. `valid`: whole kernels only, floor((large - kernel) / stride) + 1 of them. `same`, as
/// TensorFlow has it: ceil(large / stride), and the zeros that this takes are shared out, the odd one behind; with
/// stride 1 that is PyTorch's padding='same', with larger strides PyTorch needs an explicit pad. Throws
/// std::invalid_argument, with a reason, where no kernel fits.
Window window_over(std::array<int64_t, 2> large, std::array<int64_t, 2> kernel,
                   std::array<int64_t, 2> stride, Padding padding);

/// The window whose transposed convolution makes a large map of a small one. `valid`: (small - 1) stride + kernel, as
/// PyTorch without padding; `same`: small * stride, of which the padding is that of window_over.
Window window_under(std::array<int64_t, 2> small, std::array<int64_t, 2> kernel,
                    std::array<int64_t, 2> stride, Padding padding);

/// "3x3", with the stride where it is not 1: "4x4 stride 2".
std::string to_string(const Window& window);

}  // namespace latent
