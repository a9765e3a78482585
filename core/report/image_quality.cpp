#include "core/report/image_quality.h"

#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace latent {
namespace {

using Weights = std::array<double, kSsimWindow>;

Weights gaussian_weights() {
  Weights w{};
  double sum = 0;
  for (int64_t i = 0; i < kSsimWindow; ++i) {
    const double d = static_cast<double>(i - kSsimWindow / 2);
    sum += w[static_cast<size_t>(i)] = std::exp(-d * d / (2 * 1.5 * 1.5));
  }
  for (double& v : w) v /= sum;
  return w;
}

/// Weighted means over the windows of one channel of f(i), i an element: down the columns, then along the rows.
template <class F>
std::vector<double> window_means(int64_t height, int64_t width, F f) {
  static const Weights weights = gaussian_weights();
  const int64_t rows = height - kSsimWindow + 1, cols = width - kSsimWindow + 1;
  std::vector<double> down(static_cast<size_t>(rows * width)),
      out(static_cast<size_t>(rows * cols));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < width; ++c) {
      double sum = 0;
      for (int64_t k = 0; k < kSsimWindow; ++k)
        sum += weights[static_cast<size_t>(k)] * f((r + k) * width + c);
      down[static_cast<size_t>(r * width + c)] = sum;
    }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c)
      for (int64_t k = 0; k < kSsimWindow; ++k)
        out[static_cast<size_t>(r * cols + c)] +=
            weights[static_cast<size_t>(k)] * down[static_cast<size_t>(r * width + c + k)];
  return out;
}

}  // namespace

double psnr(std::span<const float> values, std::span<const float> clean, double peak) {
  double sum = 0;
  for (size_t i = 0; i < clean.size(); ++i) {
    const double d = static_cast<double>(values[i]) - clean[i];
    sum += d * d;
  }
  if (sum == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(peak * peak / (sum / static_cast<double>(clean.size())));
}

double ssim(std::span<const float> values, std::span<const float> clean, int64_t height,
            int64_t width, int64_t channels, double peak) {
  if (height < kSsimWindow || width < kSsimWindow)
    throw std::logic_error("ssim: the picture is smaller than a window");
  const double c1 = std::pow(0.01 * peak, 2), c2 = std::pow(0.03 * peak, 2);
  double total = 0, windows = 0;
  for (int64_t channel = 0; channel < channels; ++channel) {
    const auto x = [&](int64_t i) {
      return static_cast<double>(values[static_cast<size_t>(i * channels + channel)]);
    };
    const auto y = [&](int64_t i) {
      return static_cast<double>(clean[static_cast<size_t>(i * channels + channel)]);
    };
    const auto means = [&](auto f) { return window_means(height, width, f); };
    const std::vector<double> mx = means(x), my = means(y),
                              xx = means([&](int64_t i) { return x(i) * x(i); }),
                              yy = means([&](int64_t i) { return y(i) * y(i); }),
                              xy = means([&](int64_t i) { return x(i) * y(i); });
    for (size_t i = 0; i < mx.size(); ++i) {
      const double both = mx[i] * my[i], squares = mx[i] * mx[i] + my[i] * my[i];
      total += (2 * both + c1) * (2 * (xy[i] - both) + c2) /
               ((squares + c1) * (xx[i] + yy[i] - squares + c2));
    }
    windows += static_cast<double>(mx.size());
  }
  return total / windows;
}

}  // namespace latent
