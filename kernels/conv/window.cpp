#include "kernels/conv/window.h"

#include <algorithm>
#include <stdexcept>

#include "core/base/error.h"

namespace latent {

Window window_over(std::array<int64_t, 2> large, std::array<int64_t, 2> kernel,
                   std::array<int64_t, 2> stride, Padding padding) {
  Window w;
  for (int axis = 0; axis < 2; ++axis) {
    w.large[axis] = large[axis];
    w.kernel[axis] = kernel[axis];
    w.stride[axis] = stride[axis];
    if (padding == Padding::valid) {
      if (kernel[axis] > large[axis])
        throw std::invalid_argument(cat("a kernel of ", kernel[0], "x", kernel[1],
                                        " does not fit into ", large[0], "x", large[1]));
      w.small[axis] = (large[axis] - kernel[axis]) / stride[axis] + 1;
    } else {
      w.small[axis] = (large[axis] + stride[axis] - 1) / stride[axis];
      const int64_t covered = (w.small[axis] - 1) * stride[axis] + kernel[axis];
      w.before[axis] = std::max<int64_t>(0, covered - large[axis]) / 2;
    }
  }
  return w;
}

Window window_under(std::array<int64_t, 2> small, std::array<int64_t, 2> kernel,
                    std::array<int64_t, 2> stride, Padding padding) {
  std::array<int64_t, 2> large;
  for (int axis = 0; axis < 2; ++axis)
    large[axis] = padding == Padding::same ? small[axis] * stride[axis]
                                           : (small[axis] - 1) * stride[axis] + kernel[axis];
  return window_over(large, kernel, stride, padding);
}

std::string to_string(const Window& w) {
  std::string text = cat(w.kernel[0], "x", w.kernel[1]);
  if (w.stride[0] != 1 || w.stride[1] != 1)
    text += w.stride[0] == w.stride[1] ? cat(" stride ", w.stride[0])
                                       : cat(" stride ", w.stride[0], "x", w.stride[1]);
  return text;
}

}  // namespace latent
