#include "core/figures/image.h"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>

#include "core/base/error.h"
#include "core/io/atomic_file.h"

namespace latent {
namespace {

void append_bytes(png_structp png, png_bytep data, png_size_t size) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<char*>(data), size);
}

[[noreturn]] void fail(png_structp, png_const_charp why) {
  throw std::runtime_error(cat("png: ", why));
}

bool is_grey(const Image& image) {
  for (int y = 0; y < image.height(); ++y) {
    const Color* row = image.row(y);
    for (int x = 0; x < image.width(); ++x)
      if (row[x].r != row[x].g || row[x].r != row[x].b) return false;
  }
  return true;
}

struct PngWriter {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, fail, nullptr);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  PngWriter() {
    if (!info) throw std::bad_alloc();
  }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;
  ~PngWriter() { png_destroy_write_struct(&png, &info); }
};

}  // namespace

Image::Image(int width, int height, Color fill) : width_(width), height_(height) {
  if (width < 1 || height < 1 || width > 32767 || height > 32767)
    throw std::invalid_argument(cat("image: size ", width, "x", height));
  pixels_.assign(static_cast<size_t>(width) * height, fill);
}

void Image::blend(int x, int y, Color c, float amount) {
  if (x < 0 || y < 0 || x >= width_ || y >= height_ || amount <= 0) return;
  Color& p = pixels_[index(x, y)];
  const auto mix = [amount](uint8_t below, uint8_t above) {
    return static_cast<uint8_t>(std::lround(below + (above - below) * std::min(amount, 1.0f)));
  };
  p = {mix(p.r, c.r), mix(p.g, c.g), mix(p.b, c.b)};
}

std::string encode_png(const Image& image) {
  const bool grey = is_grey(image);
  std::string bytes;
  PngWriter out;
  png_set_write_fn(out.png, &bytes, append_bytes, nullptr);
  png_set_IHDR(out.png, out.info, image.width(), image.height(), 8,
               grey ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(out.png, 9);
  png_write_info(out.png, out.info);
  std::vector<uint8_t> line(static_cast<size_t>(image.width()) * (grey ? 1 : 3));
  for (int y = 0; y < image.height(); ++y) {
    const Color* row = image.row(y);
    for (int x = 0; x < image.width(); ++x) {
      if (grey) {
        line[x] = row[x].r;
      } else {
        line[3 * x] = row[x].r, line[3 * x + 1] = row[x].g, line[3 * x + 2] = row[x].b;
      }
    }
    png_write_row(out.png, line.data());
  }
  png_write_end(out.png, nullptr);
  return bytes;
}

void write_png(const std::filesystem::path& path, const Image& image) {
  write_file_atomically(path, encode_png(image));
}

}  // namespace latent
