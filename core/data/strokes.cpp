#include "core/data/strokes.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/data/drawing.h"
#include "core/data/glyphs.h"

namespace latent {
namespace {

constexpr int kSide = kStrokesSide;
constexpr int kPixels = kSide * kSide;

/// A smooth field that moves each point a little: three waves for each axis.
class ElasticField {
 public:
  ElasticField(DrawingNumbers& random, double amplitude) {
    for (Wave& w : waves_)
      w = {random.uniform(-0.5, 0.5), random.uniform(-0.5, 0.5), random.uniform(),
           amplitude * random.bell()};
  }
  PenPoint move(PenPoint p) const {
    PenPoint d;
    for (size_t i = 0; i < waves_.size(); ++i) {
      const Wave& w = waves_[i];
      (i % 2 ? d.y : d.x) += w.amplitude * sin_turns(w.fx * p.x + w.fy * p.y + w.phase);
    }
    return {p.x + d.x, p.y + d.y};
  }

 private:
  struct Wave {
    double fx, fy, phase, amplitude;
  };
  std::array<Wave, 6> waves_;
};

/// DigitShape coordinates to pixels: scale, slant, rotation, shift.
class Placement {
 public:
  explicit Placement(DrawingNumbers& random) {
    const double width = 9.3 * random.uniform(0.8, 1.15), height = 9.3 * random.uniform(0.88, 1.06);
    const double turn = 0.02 * random.bell(), slant = 0.16 * random.bell() + 0.08;
    const double c = cos_turns(turn), s = sin_turns(turn);
    a_ = {c * width, -c * slant * height - s * height};
    b_ = {s * width, -s * slant * height + c * height};
    shift_ = {13.5 + 0.8 * random.bell(), 13.5 + 0.8 * random.bell()};
  }
  PenPoint operator()(PenPoint p) const {
    return {a_.x * p.x + a_.y * p.y + shift_.x, b_.x * p.x + b_.y * p.y + shift_.y};
  }

 private:
  PenPoint a_, b_, shift_;
};

/// A canvas that knows of each pixel how far it is from the nearest line, squared.
class Canvas {
 public:
  explicit Canvas(double reach) : reach_(reach) { distance_.fill(reach * reach); }

  void line(PenPoint a, PenPoint b) {
    const int x0 = column(std::min(a.x, b.x) - reach_),
              x1 = column(std::max(a.x, b.x) + reach_ + 1);
    const int y0 = column(std::min(a.y, b.y) - reach_),
              y1 = column(std::max(a.y, b.y) + reach_ + 1);
    const double ux = b.x - a.x, uy = b.y - a.y;
    const double length = ux * ux + uy * uy;
    const double scale = length > 0 ? 1 / length : 0;
    for (int y = y0; y <= y1; ++y)
      for (int x = x0; x <= x1; ++x) {
        const double px = x - a.x, py = y - a.y;
        const double t = std::clamp((px * ux + py * uy) * scale, 0.0, 1.0);
        const double dx = px - t * ux, dy = py - t * uy;
        double& d = distance_[static_cast<size_t>(y * kSide + x)];
        d = std::min(d, dx * dx + dy * dy);
      }
  }
  /// Full ink up to `radius` from a line, none from `radius + edge` on, a smooth step between.
  void ink(double radius, double edge, std::span<uint8_t> image) const {
    for (size_t i = 0; i < kPixels; ++i) {
      const double t = std::clamp((radius + edge - std::sqrt(distance_[i])) / edge, 0.0, 1.0);
      image[i] = static_cast<uint8_t>(255 * (t * t * (3 - 2 * t)) + 0.5);
    }
  }

 private:
  static int column(double x) { return static_cast<int>(std::clamp(x, 0.0, kSide - 1.0)); }

  double reach_;
  std::array<double, kPixels> distance_;
};

/// The curve through p1 and p2 with the tangents of its neighbours (Catmull & Rom 1974), t in [0, 1].
PenPoint catmull_rom(PenPoint p0, PenPoint p1, PenPoint p2, PenPoint p3, double t) {
  const auto axis = [t](double a, double b, double c, double d) {
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
  };
  return {axis(p0.x, p1.x, p2.x, p3.x), axis(p0.y, p1.y, p2.y, p3.y)};
}

template <class Map>
void draw_stroke(std::span<const PenPoint> points, const std::vector<int>& stroke, Canvas& canvas,
                 const Map& map) {
  constexpr int kPieces = 5;
  const int n = static_cast<int>(stroke.size());
  const bool loop = stroke.front() == stroke.back();
  const auto at = [&](int i) {
    if (loop) i = (i + n - 1) % (n - 1);
    return points[static_cast<size_t>(stroke[static_cast<size_t>(std::clamp(i, 0, n - 1))])];
  };
  PenPoint from = map(at(0));
  for (int i = 0; i + 1 < n; ++i)
    for (int k = 1; k <= kPieces; ++k) {
      const PenPoint to =
          map(catmull_rom(at(i - 1), at(i), at(i + 1), at(i + 2), k / double{kPieces}));
      canvas.line(from, to);
      from = to;
    }
}

/// Draws row `index` into 28x28 pixels; its digit.
uint8_t draw(uint64_t data_seed, int64_t index, std::span<uint8_t> image) {
  DrawingNumbers random(data_seed, static_cast<uint64_t>(index));
  const int digit = random.below(10);
  const auto ways = glyphs_of(digit);
  const DigitShape& glyph = ways[static_cast<size_t>(random.below(static_cast<int>(ways.size())))];

  std::vector<PenPoint> points = glyph.points;
  for (PenPoint& p : points) p = {p.x + 0.05 * random.bell(), p.y + 0.05 * random.bell()};
  const ElasticField field(random, 0.07);
  const Placement place(random);
  const double radius = random.uniform(0.5, 1.3), edge = random.uniform(0.9, 1.6);
  Canvas canvas(radius + edge);
  for (const auto& stroke : glyph.strokes)
    draw_stroke(points, stroke, canvas, [&](PenPoint p) { return place(field.move(p)); });
  canvas.ink(radius, edge, image);
  return static_cast<uint8_t>(digit);
}

}  // namespace

Strokes make_strokes(int64_t count, uint64_t data_seed) {
  Strokes out{HostTensor(Type{DType::u8, {count, kSide, kSide, 1}}),
              std::vector<uint8_t>(static_cast<size_t>(count))};
  const auto pixels = out.images.as<uint8_t>();
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; ++i)
    out.labels[static_cast<size_t>(i)] =
        draw(data_seed, i, pixels.subspan(static_cast<size_t>(i) * kPixels, kPixels));
  return out;
}

}  // namespace latent
