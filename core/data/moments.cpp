#include "core/data/moments.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

namespace {

/// Those of the entries first, then of the zeros between them, all of which are one value.
Moments moments_of_entries(const SparseRows& rows, const HostTensor& shift,
                           const HostTensor& scale) {
  const auto a = shift.as<float>(), b = scale.as<float>();
  const auto scaled = [&](float v, size_t j) {
    return double{(v - a[a.size() == 1 ? 0 : j]) * b[b.size() == 1 ? 0 : j]};
  };
  const auto n = static_cast<double>(rows.count());
  Moments all(static_cast<size_t>(rows.width));
  const auto add = [&](size_t j, double count, double x) {
    all.count[j] += count;
    all.mean[j] += count * x / n;
    all.lo[j] = std::min(all.lo[j], x);
    all.hi[j] = std::max(all.hi[j], x);
  };
  const auto for_each_entry = [&](const auto& f) {
    for (size_t k = 0; k < rows.columns.size(); ++k) {
      const auto j = static_cast<size_t>(rows.columns[k]);
      f(j, scaled(rows.values[k], j));
    }
  };
  for_each_entry([&](size_t j, double x) { add(j, 1, x); });
  const std::vector<double> entries = all.count;
  for (size_t j = 0; j < entries.size(); ++j)
    if (entries[j] < n) add(j, n - entries[j], scaled(0, j));
  for_each_entry(
      [&](size_t j, double x) { all.squares[j] += (x - all.mean[j]) * (x - all.mean[j]); });
  for (size_t j = 0; j < entries.size(); ++j) {
    const double apart = scaled(0, j) - all.mean[j];
    all.squares[j] += (n - entries[j]) * apart * apart;
  }
  return all;
}

}  // namespace

std::vector<float> scaled_rows(const StoredRows& rows, int64_t first, int64_t n,
                               const HostTensor& shift, const HostTensor& scale) {
  const int64_t width = rows.width();
  std::vector<float> x(static_cast<size_t>(n * width));
  rows.read(first, x);
  const auto a = shift.as<float>(), b = scale.as<float>();
  for (size_t r = 0; r < static_cast<size_t>(n); ++r)
    for (size_t j = 0; j < static_cast<size_t>(width); ++j) {
      float& v = x[r * static_cast<size_t>(width) + j];
      v = (v - a[a.size() == 1 ? 0 : j]) * b[b.size() == 1 ? 0 : j];
    }
  return x;
}

Moments moments_of(const StoredRows& rows, const HostTensor& shift, const HostTensor& scale) {
  if (rows.is_sparse()) return moments_of_entries(rows.sparse(), shift, scale);
  const int64_t n = rows.count();
  const size_t width = static_cast<size_t>(rows.width());
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
