// A raster image in memory and its PNG bytes: what every figure ends as.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace latent {

struct Color {
  uint8_t r = 0, g = 0, b = 0;
  bool operator==(const Color&) const = default;
};

/// RGB, 8 bits, row by row from the top.
class Image {
 public:
  /// Throws std::invalid_argument unless both sizes are in [1, 32767].
  Image(int width, int height, Color fill = {255, 255, 255});

  int width() const { return width_; }
  int height() const { return height_; }
  Color at(int x, int y) const { return pixels_[index(x, y)]; }
  void set(int x, int y, Color c) { pixels_[index(x, y)] = c; }
  /// `amount` in [0, 1] of `c` over what is there; outside of the image nothing happens.
  void blend(int x, int y, Color c, float amount);
  const Color* row(int y) const { return &pixels_[index(0, y)]; }

 private:
  size_t index(int x, int y) const { return static_cast<size_t>(y) * width_ + x; }
  int width_, height_;
  std::vector<Color> pixels_;
};

/// The PNG file of `image`, 8-bit grey when no pixel has a colour, else RGB. The same image gives
/// the same bytes: no time, no text, fixed filters and compression.
std::string encode_png(const Image& image);

/// Writes encode_png's bytes under a temporary name, syncs and renames. Throws UserError when the
/// folder cannot be written.
void write_png(const std::filesystem::path& path, const Image& image);

}  // namespace latent
