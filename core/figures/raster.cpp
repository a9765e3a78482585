#include "core/figures/raster.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/figures/font.h"

namespace latent {
namespace {

constexpr std::array<Color, kInks> kColors = {{
    {255, 255, 255},  // paper
    {31, 35, 40},     // text
    {97, 104, 113},   // muted
    {225, 228, 232},  // grid
    {240, 242, 245},  // soft
    {213, 94, 0},     // dead
    {0, 114,
     178},  // series: blue, vermillion, green, orange, purple, sky, wine, olive, grey, indigo
    {213, 94, 0},
    {0, 158, 115},
    {230, 159, 0},
    {204, 121, 167},
    {86, 180, 233},
    {136, 34, 85},
    {153, 153, 51},
    {119, 119, 119},
    {51, 34, 136},
}};

struct Pixels {
  int x0, y0, x1, y1;  // half-open
};

Pixels clip(double x0, double y0, double x1, double y1, const Image& image) {
  return {std::max(0, static_cast<int>(std::floor(x0))),
          std::max(0, static_cast<int>(std::floor(y0))),
          std::min(image.width(), static_cast<int>(std::ceil(x1))),
          std::min(image.height(), static_cast<int>(std::ceil(y1)))};
}

/// The part of each pixel that a pen of `width` covers, as the union over all segments: crossings
/// of one path are not darker than the path.
class PenMask {
 public:
  PenMask(std::span<const Point> points, double width, const Image& image) : half_(width / 2) {
    double x0 = 1e9, y0 = 1e9, x1 = -1e9, y1 = -1e9;
    for (const Point& p : points) {
      x0 = std::min(x0, p.x), x1 = std::max(x1, p.x);
      y0 = std::min(y0, p.y), y1 = std::max(y1, p.y);
    }
    const double reach = half_ + 1;
    area_ = clip(x0 - reach, y0 - reach, x1 + reach, y1 + reach, image);
    if (area_.x0 < area_.x1 && area_.y0 < area_.y1)
      mask_.resize(static_cast<size_t>(area_.x1 - area_.x0) * (area_.y1 - area_.y0));
  }

  void segment(Point a, Point b, const Image& image) {
    if (mask_.empty()) return;
    const double reach = half_ + 1;
    const Pixels p = clip(std::min(a.x, b.x) - reach, std::min(a.y, b.y) - reach,
                          std::max(a.x, b.x) + reach, std::max(a.y, b.y) + reach, image);
    const double dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
    const double thin = std::min(1.0, 2 * half_);  // a hairline is fainter, not narrower
    for (int y = p.y0; y < p.y1; ++y)
      for (int x = p.x0; x < p.x1; ++x) {
        const double px = x + 0.5 - a.x, py = y + 0.5 - a.y;
        const double t = length2 > 0 ? std::clamp((px * dx + py * dy) / length2, 0.0, 1.0) : 0;
        const double away = std::hypot(px - t * dx, py - t * dy);
        const double cover = std::clamp(std::max(half_, 0.5) + 0.5 - away, 0.0, 1.0) * thin;
        float& m = mask_[static_cast<size_t>(y - area_.y0) * (area_.x1 - area_.x0) + x - area_.x0];
        m = std::max(m, static_cast<float>(cover));
      }
  }

  void paint(Color color, Image& image) const {
    size_t i = 0;
    if (mask_.empty()) return;
    for (int y = area_.y0; y < area_.y1; ++y)
      for (int x = area_.x0; x < area_.x1; ++x) image.blend(x, y, color, mask_[i++]);
  }

 private:
  double half_;
  Pixels area_;
  std::vector<float> mask_;
};

/// Calls segment(a, b) for each dash of the path.
template <class F>
void for_each_dash(std::span<const Point> points, double dash, const F& segment) {
  double left = dash;
  bool pen_down = true;
  for (size_t i = 1; i < points.size(); ++i) {
    Point a = points[i - 1];
    double rest = std::hypot(points[i].x - a.x, points[i].y - a.y);
    while (rest > left) {
      const double t = left / rest;
      const Point b{a.x + (points[i].x - a.x) * t, a.y + (points[i].y - a.y) * t};
      if (pen_down) segment(a, b);
      a = b, rest -= left, left = dash, pen_down = !pen_down;
    }
    if (pen_down) segment(a, points[i]);
    left -= rest;
  }
}

}  // namespace

Color color_of(Ink ink) { return kColors[static_cast<size_t>(ink)]; }

RasterSurface::RasterSurface(double width, double height, int scale)
    : image_(static_cast<int>(std::ceil(width)) * scale,
             static_cast<int>(std::ceil(height)) * scale),
      scale_(scale) {}

void RasterSurface::polyline(std::span<const Point> points, const Stroke& stroke) {
  std::vector<Point> path;
  for (const Point& p : points) path.push_back({p.x * scale_, p.y * scale_});
  PenMask mask(path, stroke.width * scale_, image_);
  const auto segment = [&](Point a, Point b) { mask.segment(a, b, image_); };
  if (stroke.dash > 0) {
    for_each_dash(path, stroke.dash * scale_, segment);
  } else if (path.size() == 1) {
    segment(path[0], path[0]);
  } else {
    for (size_t i = 1; i < path.size(); ++i) segment(path[i - 1], path[i]);
  }
  mask.paint(color_of(stroke.ink), image_);
}

void RasterSurface::polygon(std::span<const Point> points, Ink fill, double opacity) {
  constexpr int kSub = 4;  // samples a side of a pixel
  double x0 = 1e9, y0 = 1e9, x1 = -1e9, y1 = -1e9;
  for (const Point& p : points) {
    x0 = std::min(x0, p.x * scale_), x1 = std::max(x1, p.x * scale_);
    y0 = std::min(y0, p.y * scale_), y1 = std::max(y1, p.y * scale_);
  }
  const auto inside = [&](double x, double y) {  // even-odd
    bool in = false;
    for (size_t i = 0, j = points.size() - 1; i < points.size(); j = i++) {
      const Point a{points[i].x * scale_, points[i].y * scale_};
      const Point b{points[j].x * scale_, points[j].y * scale_};
      if ((a.y > y) != (b.y > y) && x < a.x + (b.x - a.x) * (y - a.y) / (b.y - a.y)) in = !in;
    }
    return in;
  };
  const Pixels p = clip(x0, y0, x1, y1, image_);
  for (int y = p.y0; y < p.y1; ++y)
    for (int x = p.x0; x < p.x1; ++x) {
      int hits = 0;
      for (int s = 0; s < kSub * kSub; ++s)
        hits += inside(x + (s % kSub + 0.5) / kSub, y + (s / kSub + 0.5) / kSub);
      image_.blend(x, y, color_of(fill), static_cast<float>(opacity * hits / (kSub * kSub)));
    }
}

void RasterSurface::rect(const Box& box, Ink fill, double opacity, double radius) {
  const double x0 = box.x * scale_, y0 = box.y * scale_;
  const double x1 = box.right() * scale_, y1 = box.bottom() * scale_;
  const double r = std::min({radius * scale_, (x1 - x0) / 2, (y1 - y0) / 2});
  const Pixels p = clip(x0, y0, x1, y1, image_);
  for (int y = p.y0; y < p.y1; ++y)
    for (int x = p.x0; x < p.x1; ++x) {
      double cover = std::max(0.0, std::min(x + 1.0, x1) - std::max<double>(x, x0)) *
                     std::max(0.0, std::min(y + 1.0, y1) - std::max<double>(y, y0));
      if (r > 0) {
        const double dx = std::max({x0 + r - (x + 0.5), x + 0.5 - (x1 - r), 0.0});
        const double dy = std::max({y0 + r - (y + 0.5), y + 0.5 - (y1 - r), 0.0});
        if (dx > 0 && dy > 0) cover = std::clamp(r + 0.5 - std::hypot(dx, dy), 0.0, 1.0);
      }
      image_.blend(x, y, color_of(fill), static_cast<float>(opacity * cover));
    }
}

void RasterSurface::circle(Point center, double radius, Ink fill, double opacity) {
  const double cx = center.x * scale_, cy = center.y * scale_, r = radius * scale_;
  const Pixels p = clip(cx - r - 1, cy - r - 1, cx + r + 1, cy + r + 1, image_);
  for (int y = p.y0; y < p.y1; ++y)
    for (int x = p.x0; x < p.x1; ++x) {
      const double cover = std::clamp(r + 0.5 - std::hypot(x + 0.5 - cx, y + 0.5 - cy), 0.0, 1.0);
      image_.blend(x, y, color_of(fill), static_cast<float>(opacity * cover));
    }
}

void RasterSurface::text(Point at, std::string_view text, const TextStyle& style) {
  const double em = style.size * scale_;
  const double width = text_width(text, em);
  double pen = style.align == Align::kLeft     ? 0
               : style.align == Align::kCenter ? -width / 2
                                               : -width;
  // The baseline lies between pixels, so that horizontal strokes are equally sharp everywhere.
  const double ox = style.upward ? std::round(at.x * scale_) : at.x * scale_;
  const double oy = style.upward ? at.y * scale_ : std::round(at.y * scale_);
  const double stroke = std::max(1.1, (style.bold ? kStrokeBold : kStrokeRegular) * em);
  std::vector<Point> path;
  for (char c : text) {
    const Glyph& g = glyph(c);
    for (const auto& line : g.strokes) {
      path.clear();
      for (const Point& p : line) {
        const double x = pen + p.x * em, y = p.y * em;
        path.push_back(style.upward ? Point{ox - y, oy - x} : Point{ox + x, oy - y});
      }
      PenMask mask(path, stroke, image_);
      for (size_t i = 1; i < path.size(); ++i) mask.segment(path[i - 1], path[i], image_);
      mask.paint(color_of(style.ink), image_);
    }
    pen += g.advance * em;
  }
}

void RasterSurface::picture(Point corner, const Image& small, int cell) {
  const int side = cell * scale_;
  const int x0 = static_cast<int>(std::lround(corner.x * scale_));
  const int y0 = static_cast<int>(std::lround(corner.y * scale_));
  for (int y = 0; y < small.height() * side; ++y)
    for (int x = 0; x < small.width() * side; ++x)
      image_.blend(x0 + x, y0 + y, small.at(x / side, y / side), 1);
}

}  // namespace latent
