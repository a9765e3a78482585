// Convolutions at awkward sizes, and those of autoencoders: what the samples of every pass are made of.
#pragma once

#include <string>
#include <vector>

#include "core/tensor/type.h"
#include "kernels/conv/window.h"

namespace latent {

struct ConvCase {
  std::string name;
  Window window;
  int64_t rows, channels, filters;
  bool bench = false;

  Type large() const { return {DType::f32, {rows, window.large[0], window.large[1], channels}}; }
  Type small() const { return {DType::f32, {rows, window.small[0], window.small[1], filters}}; }
  Type weight() const {
    return {DType::f32, {filters, window.kernel[0], window.kernel[1], channels}};
  }
};

inline std::vector<ConvCase> conv_cases() {
  constexpr Padding kValid = Padding::valid, kSame = Padding::same;
  return {
      {"one", window_over({1, 1}, {1, 1}, {1, 1}, kValid), 1, 1, 1},
      {"same_odd", window_over({5, 7}, {3, 3}, {1, 1}, kSame), 3, 2, 5},
      {"same_even_kernel", window_over({6, 5}, {4, 2}, {1, 1}, kSame), 2, 3, 1},
      {"same_stride_2", window_over({7, 6}, {3, 3}, {2, 2}, kSame), 2, 3, 4},
      {"same_gaps", window_over({5, 5}, {1, 2}, {2, 3}, kSame), 2, 2, 3},
      {"valid", window_over({6, 5}, {3, 2}, {1, 1}, kValid), 2, 1, 3},
      {"valid_stride_2", window_over({8, 7}, {4, 4}, {2, 2}, kValid), 2, 2, 2},
      {"valid_rest", window_over({7, 9}, {2, 3}, {3, 2}, kValid), 9, 2, 3},
      {"wide_kernel", window_over({2, 3}, {7, 5}, {1, 1}, kSame), 2, 2, 2},
      {"many", window_over({9, 10}, {3, 3}, {1, 1}, kSame), 17, 17, 33},
      {"1_to_40_stride_2", window_over({9, 8}, {5, 5}, {2, 2}, kSame), 3, 1, 40},
      {"1_to_5_4x4", window_over({20, 20}, {4, 4}, {1, 1}, kSame), 3, 1, 5},
      {"5_to_1_4x4", window_over({20, 20}, {4, 4}, {1, 1}, kSame), 3, 5, 1},
      {"37_to_1", window_over({8, 9}, {4, 4}, {1, 1}, kValid), 5, 37, 1},
      {"2_to_1_stride_3", window_over({31, 30}, {3, 2}, {3, 3}, kSame), 40, 2, 1},
      {"3_to_1_wide", window_over({5, 6}, {7, 5}, {1, 1}, kSame), 2, 3, 1},
      {"1_to_16", window_over({28, 28}, {3, 3}, {1, 1}, kSame), 128, 1, 16, true},
      {"16_to_8", window_over({14, 14}, {3, 3}, {1, 1}, kSame), 128, 16, 8, true},
      {"32_to_32", window_over({14, 14}, {3, 3}, {1, 1}, kSame), 128, 32, 32, true},
      {"32_to_1", window_over({28, 28}, {3, 3}, {1, 1}, kSame), 128, 32, 1, true},
      {"32_to_64_stride_2", window_over({14, 14}, {4, 4}, {2, 2}, kSame), 128, 32, 64, true},
  };
}

}  // namespace latent
