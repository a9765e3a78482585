// Ridge regression of clean rows on noisy ones: the best linear denoiser, beside which a model's errors stand.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor/host_tensor.h"

namespace latent {

class Ridge {
 public:
  /// Minimises sum |W (x - mean x) - (y - mean y)|^2 + lambda |W|^2 over the first rows of x and y [rows, elements...], f32,
  /// at most kRows. lambda is 1e-6 of the mean diagonal of the left-hand side, so that it can be solved. The bits do not
  /// depend on the number of threads.
  Ridge(const HostTensor& x, const HostTensor& y);
  static constexpr int64_t kRows = 20000;

  /// x [rows, elements of x...] -> predictions [rows, elements of y], f32.
  std::vector<float> predict(const HostTensor& x) const;

 private:
  int64_t inputs_ = 0, outputs_ = 0;
  std::vector<double> mean_x_, mean_y_;
  std::vector<double> weights_;  ///< [inputs, outputs], row-major
};

}  // namespace latent
