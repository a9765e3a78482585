#include "core/data/moments.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/data/convert.h"

namespace latent {

Moments::Moments(size_t width)
    : count(width),
      mean(width),
      squares(width),
      lo(width, std::numeric_limits<double>::infinity()),
      hi(width, -std::numeric_limits<double>::infinity()) {}

void Moments::add_rows(const float* rows, int64_t n) {
  const size_t width = count.size();
  Moments part(width);
  for (int64_t r = 0; r < n; ++r)
    for (size_t j = 0; j < width; ++j) {
      const double x = rows[static_cast<size_t>(r) * width + j];
      if (std::isnan(x)) continue;
      ++part.count[j];
      part.mean[j] += x;
      part.lo[j] = std::min(part.lo[j], x);
      part.hi[j] = std::max(part.hi[j], x);
    }
  for (size_t j = 0; j < width; ++j) part.mean[j] /= std::max(part.count[j], 1.0);
  for (int64_t r = 0; r < n; ++r)
    for (size_t j = 0; j < width; ++j) {
      const double x = rows[static_cast<size_t>(r) * width + j] - part.mean[j];
      if (!std::isnan(x)) part.squares[j] += x * x;
    }
  merge(part);
}

void Moments::merge(const Moments& other) {
  for (size_t j = 0; j < count.size(); ++j) {
    const double n = count[j] + other.count[j];
    if (other.count[j] == 0) continue;
    const double apart = other.mean[j] - mean[j];
    squares[j] += other.squares[j] + apart * apart * (count[j] * other.count[j] / n);
    mean[j] += apart * (other.count[j] / n);
    count[j] = n;
    lo[j] = std::min(lo[j], other.lo[j]);
    hi[j] = std::max(hi[j], other.hi[j]);
  }
}

std::vector<float> scaled_rows(const HostTensor& rows, int64_t first, int64_t n,
                               const HostTensor& shift, const HostTensor& scale) {
  const int64_t width = rows.type.elements() / std::max<int64_t>(rows.type.shape.at(0), 1);
  std::vector<float> x(static_cast<size_t>(n * width));
  to_f32(rows, first * width, x);
  const auto a = shift.as<float>(), b = scale.as<float>();
  for (size_t r = 0; r < static_cast<size_t>(n); ++r)
    for (size_t j = 0; j < static_cast<size_t>(width); ++j) {
      float& v = x[r * static_cast<size_t>(width) + j];
      v = (v - a[a.size() == 1 ? 0 : j]) * b[b.size() == 1 ? 0 : j];
    }
  return x;
}

Moments moments_of(const HostTensor& rows, const HostTensor& shift, const HostTensor& scale) {
  const int64_t n = rows.type.shape.at(0);
  const size_t width = static_cast<size_t>(rows.type.elements() / std::max<int64_t>(n, 1));
  std::vector<Moments> parts(static_cast<size_t>((n + kMomentRows - 1) / kMomentRows));
  for_each_block(rows, shift, scale, [&](size_t block, const float* x, int64_t count) {
    parts[block] = Moments(width);
    parts[block].add_rows(x, count);
  });
  Moments all(width);
  for (const Moments& part : parts) all.merge(part);
  return all;
}

}  // namespace latent
