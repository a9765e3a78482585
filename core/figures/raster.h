// A surface of pixels: antialiased lines, shapes, stroke text and small pictures.
#pragma once

#include <string>
#include <vector>

#include "core/figures/image.h"
#include "core/figures/surface.h"

namespace latent {

/// The colour of an ink on white paper.
Color color_of(Ink ink);

class RasterSurface : public Surface {
 public:
  /// A white page of width x height logical pixels, each `scale` x `scale` pixels of the image.
  RasterSurface(double width, double height, int scale = 2);

  void polyline(std::span<const Point> points, const Stroke& stroke) override;
  void polygon(std::span<const Point> points, Ink fill, double opacity) override;
  void rect(const Box& box, Ink fill, double opacity, double radius) override;
  void circle(Point center, double radius, Ink fill, double opacity) override;
  void text(Point at, std::string_view text, const TextStyle& style) override;

  /// A picture of rows x columns pixels, each a square of `cell` logical pixels without smoothing;
  /// `corner` is its top left.
  void picture(Point corner, const Image& small, int cell);

  const Image& image() const { return image_; }

 private:
  Image image_;
  int scale_;
};

}  // namespace latent
