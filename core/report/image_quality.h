// How near an example is to the clean one.
#pragma once

#include <cstdint>
#include <span>

namespace latent {

/// Peak signal-to-noise ratio in dB: 10 log10(peak^2 / mean squared error); infinite where they are equal.
double psnr(std::span<const float> values, std::span<const float> clean, double peak);

/// Structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004, eq. 13) of pictures [height, width, channels]: Gaussian
/// windows of 11 x 11 with sigma 1.5, K1 = 0.01, K2 = 0.03; the mean over the windows that lie inside and the channels.
/// Throws std::logic_error for a picture smaller than a window.
double ssim(std::span<const float> values, std::span<const float> clean, int64_t height,
            int64_t width, int64_t channels, double peak);
inline constexpr int64_t kSsimWindow = 11;

}  // namespace latent
