// What a figure is drawn on: one drawing code makes the PNG (raster.h) and the report's SVG
// (svg.h).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/figures/geometry.h"

namespace latent {

/// A colour by its job, so that a surface may have a light and a dark set. The ten series colours
/// are those of Okabe and Ito (2008) with three of Tol's, told apart by colour-blind readers too.
enum class Ink : uint8_t { kPaper, kText, kMuted, kGrid, kSoft, kDead, kSeries };

/// The ink of the i-th series; repeats after ten.
inline Ink series_ink(size_t i) {
  return static_cast<Ink>(static_cast<size_t>(Ink::kSeries) + i % 10);
}
inline constexpr size_t kInks = static_cast<size_t>(Ink::kSeries) + 10;

struct Stroke {
  Ink ink = Ink::kText;
  double width = 1;
  double dash = 0;  ///< length of dashes and gaps; 0: solid
};

enum class Align : uint8_t { kLeft, kCenter, kRight };

struct TextStyle {
  double size = 12;  ///< the em, logical pixels
  Ink ink = Ink::kText;
  Align align = Align::kLeft;
  bool bold = false;
  bool upward = false;  ///< rotated by 90 degrees, read from below
};

class Surface {
 public:
  virtual ~Surface() = default;
  virtual void polyline(std::span<const Point> points, const Stroke& stroke) = 0;
  virtual void polygon(std::span<const Point> points, Ink fill, double opacity) = 0;
  virtual void rect(const Box& box, Ink fill, double opacity, double radius) = 0;
  virtual void circle(Point center, double radius, Ink fill, double opacity) = 0;
  /// `at` is on the baseline; `text` is ASCII.
  virtual void text(Point at, std::string_view text, const TextStyle& style) = 0;

  void line(Point a, Point b, const Stroke& stroke) {
    const Point ends[] = {a, b};
    polyline(ends, stroke);
  }
};

}  // namespace latent
