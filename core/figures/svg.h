// A surface that writes SVG: the report's curves, sharp at any width, in light and dark.
#pragma once

#include <string>

#include "core/figures/surface.h"

namespace latent {

class SvgSurface : public Surface {
 public:
  SvgSurface(double width, double height) : width_(width), height_(height) {}

  void polyline(std::span<const Point> points, const Stroke& stroke) override;
  void polygon(std::span<const Point> points, Ink fill, double opacity) override;
  void rect(const Box& box, Ink fill, double opacity, double radius) override;
  void circle(Point center, double radius, Ink fill, double opacity) override;
  void text(Point at, std::string_view text, const TextStyle& style) override;

  /// An <svg> element for inline use; `label` is read out by screen readers. Its colours are the
  /// CSS variables of ink_variables().
  std::string str(std::string_view label) const;

 private:
  double width_, height_;
  std::string body_;
};

/// "--ink-text:#1f2328;..." for light or dark paper: to stand in a CSS rule of the page.
std::string ink_variables(bool dark);

/// `text` with & < > and quotes as entities.
std::string escape_xml(std::string_view text);

}  // namespace latent
