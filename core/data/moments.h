// Mean, spread and range of each element of a row, over the rows of an array.
#pragma once

#include <algorithm>
#include <vector>

#include "core/data/stored_rows.h"

namespace latent {

/// Of each element, over the rows in which it is not NaN.
struct Moments {
  std::vector<double> count, mean, squares, lo, hi;  ///< squares: sum of (x - mean)^2

  explicit Moments(size_t width = 0);
  void add_rows(const float* rows, int64_t n);
  /// Those of both sets of rows (Chan, Golub & LeVeque 1979).
  void merge(const Moments& other);
};

/// Of (x - shift) * scale, which have one element or one for each of a row. The sums are over fixed blocks of rows in
/// their order, whatever the number of threads; of sparse rows over the entries, which takes no longer than reading them.
Moments moments_of(const StoredRows& rows, const HostTensor& shift, const HostTensor& scale);

/// Calls f(block, x, n) for blocks of up to 256 rows, scaled to f32 [n, elements], in parallel.
template <class F>
void for_each_block(const StoredRows& rows, const HostTensor& shift, const HostTensor& scale, F f);

inline constexpr int64_t kMomentRows = 256;
/// Rows [first, first + n) as f32, scaled.
std::vector<float> scaled_rows(const StoredRows& rows, int64_t first, int64_t n,
                               const HostTensor& shift, const HostTensor& scale);

template <class F>
void for_each_block(const StoredRows& rows, const HostTensor& shift, const HostTensor& scale, F f) {
  const int64_t total = rows.count(), blocks = (total + kMomentRows - 1) / kMomentRows;
#pragma omp parallel for schedule(dynamic)
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t first = b * kMomentRows, n = std::min(kMomentRows, total - first);
    const std::vector<float> x = scaled_rows(rows, first, n, shift, scale);
    f(static_cast<size_t>(b), x.data(), n);
  }
}

}  // namespace latent
