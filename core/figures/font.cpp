#include "core/figures/font.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <sstream>
#include <string>

namespace latent {
namespace {

constexpr double kUnits = 20;      // design units an em: capitals are 14, small letters 10 high
constexpr double kBearing = 1.95;  // free space left and right of the pen's path

// A glyph's path: M x y (move), L x y (line), C (cubic), A cx cy rx ry from to (arc in degrees,
// line to its start), O cx cy rx ry (closed oval). '#' in front of a path: as wide as a digit.
constexpr const char* kPaths[] = {
    /*   */ "",
    /* ! */ "M 0 14 L 0 4.4 O 0 0.3 .3 .3",
    /* " */ "M 0 14 L 0 10 M 3.4 14 L 3.4 10",
    /* # */ "M 2 0 L 4 14 M 6.4 0 L 8.4 14 M 0 4.6 L 9.6 4.6 M .6 9.4 L 10.2 9.4",
    /* $ */
    "M 8 11 C 7.4 12.4 6 13 4.4 13 C 2.2 13 .5 11.9 .5 10 C .5 8 2.4 7.5 4.4 7 C 6.6 6.4 8.6 5.8 "
    "8.6 3.8 C 8.6 2 6.8 .9 4.4 .9 C 2.4 .9 .8 1.6 0 3.2 M 4.4 15.4 L 4.4 -1.6",
    /* % */ "O 2.7 10.9 2.7 3.1 O 10.9 3.1 2.7 3.1 M 10.8 14 L 2.8 0",
    /* & */
    "M 10 0 L 2 9 C 1 10.3 1 11 1 11.4 C 1 13 2.2 14 3.8 14 C 5.4 14 6.6 13 6.6 11.4 C 6.6 9.6 5 "
    "8.8 "
    "3 7.6 C 1 6.4 0 5.4 0 3.5 C 0 1.4 1.6 0 4 0 C 7 0 9 2.4 9.4 6.4",
    /* ' */ "M 0 14 L 0 10",
    /* ( */ "M 3.4 15.2 C 1.2 12.6 0 9.4 0 6 C 0 2.6 1.2 -.6 3.4 -3.2",
    /* ) */ "M 0 15.2 C 2.2 12.6 3.4 9.4 3.4 6 C 3.4 2.6 2.2 -.6 0 -3.2",
    /* * */ "M 3 14 L 3 8.4 M .5 12.7 L 5.5 9.7 M 5.5 12.7 L .5 9.7",
    /* + */ "# M 0 6 L 8 6 M 4 10 L 4 2",
    /* , */ "M .9 .4 L .9 0 L 0 -2.6",
    /* - */ "M 0 5.2 L 4.6 5.2",
    /* . */ "O 0 0.3 .3 .3",
    /* / */ "M 0 -1.6 L 6 15",
    /* 0 */ "# O 4 7 4 7",
    /* 1 */ "# M 1 11.2 L 4.6 14 L 4.6 0",
    /* 2 */ "# A 3.9 10.1 3.8 3.9 165 -38 L 0 0 L 8 0",
    /* 3 */ "# A 3.8 10.5 3.5 3.5 150 -90 A 3.8 3.55 4.1 3.55 90 -152",
    /* 4 */ "# M 6.1 0 L 6.1 14 L 0 3.9 L 8.2 3.9",
    /* 5 */ "# M 7.3 14 L 1.4 14 L .8 7.6 A 3.9 4.6 4.1 4.6 135 -152",
    /* 6 */ "# O 4 4.5 4 4.5 M 6.9 13.3 C 3.4 14.6 0 11 0 4.5",
    /* 7 */ "# M 0 14 L 8 14 L 2.9 0",
    /* 8 */ "# O 4 10.5 3.4 3.5 O 4 3.5 4 3.5",
    /* 9 */ "# O 4 9.5 4 4.5 M 1.1 .7 C 4.6 -.6 8 3 8 9.5",
    /* : */ "O 0 0.3 .3 .3 O 0 8.4 .3 .3",
    /* ; */ "M .9 .4 L .9 0 L 0 -2.6 O .9 8.4 .3 .3",
    /* < */ "# M 8 10 L 0 6 L 8 2",
    /* = */ "# M 0 8 L 8 8 M 0 4 L 8 4",
    /* > */ "# M 0 10 L 8 6 L 0 2",
    /* ? */
    "M 0 11.4 C .6 13 2 14 3.8 14 C 6 14 7.6 12.7 7.6 10.7 C 7.6 7.8 3.8 7.6 3.8 4.4 O 3.8 0.3 .3 "
    ".3",
    /* @ */
    "O 7 5.4 3.1 3.6 M 10.1 9 L 10.1 4.4 C 10.1 2.6 11 1.8 12 1.8 C 13.4 1.8 14.2 3.4 14.2 5.8 C "
    "14.2 "
    "10.4 11.4 13.4 7.2 13.4 C 3 13.4 0 10.2 0 5.4 C 0 .6 3 -2.6 7.2 -2.6 C 8.8 -2.6 10 -2.3 11.2 "
    "-1.6",
    /* A */ "M 0 0 L 5.3 14 L 10.6 0 M 1.9 4.8 L 8.7 4.8",
    /* B */
    "M 0 7.3 L 4.6 7.3 A 4.6 10.65 3.6 3.35 -90 90 L 0 14 L 0 0 L 4.8 0 A 4.8 3.65 4.2 3.65 -90 90",
    /* C */ "A 5.5 7 5.5 7 46 314",
    /* D */ "M 0 0 L 0 14 L 4 14 A 4 7 6.2 7 90 -90 L 0 0",
    /* E */ "M 7.8 14 L 0 14 L 0 0 L 7.8 0 M 0 7.2 L 7 7.2",
    /* F */ "M 7.6 14 L 0 14 L 0 0 M 0 7 L 6.8 7",
    /* G */ "A 5.6 7 5.6 7 46 352 L 11.1 6.6 L 6.4 6.6",
    /* H */ "M 0 0 L 0 14 M 9.8 0 L 9.8 14 M 0 7.2 L 9.8 7.2",
    /* I */ "M 0 0 L 0 14",
    /* J */ "M 6 14 L 6 4 A 2.9 4 3.1 4 0 -155",
    /* K */ "M 0 0 L 0 14 M 8.8 14 L 0 5.2 M 3.3 8.5 L 9.2 0",
    /* L */ "M 0 14 L 0 0 L 7.2 0",
    /* M */ "M 0 0 L 0 14 L 6 3.6 L 12 14 L 12 0",
    /* N */ "M 0 0 L 0 14 L 9.6 0 L 9.6 14",
    /* O */ "O 6 7 6 7",
    /* P */ "M 0 0 L 0 14 L 4.8 14 A 4.8 10.2 4 3.8 90 -90 L 0 6.4",
    /* Q */ "O 6 7 6 7 M 7.4 3.4 L 11.6 -1",
    /* R */ "M 0 0 L 0 14 L 4.8 14 A 4.8 10.2 4 3.8 90 -90 L 0 6.4 M 4.8 6.4 L 9.2 0",
    /* S */
    "M 8.3 11.5 C 7.6 13.1 6.2 14 4.4 14 C 2.2 14 .5 12.7 .5 10.6 C .5 8.4 2.4 7.8 4.5 7.2 C 6.8 "
    "6.6 8.8 "
    "5.9 8.8 3.6 C 8.8 1.4 6.9 0 4.5 0 C 2.4 0 .7 .9 0 2.7",
    /* T */ "M 0 14 L 9.6 14 M 4.8 14 L 4.8 0",
    /* U */ "M 0 14 L 0 4.8 A 4.8 4.8 4.8 4.8 180 360 L 9.6 14",
    /* V */ "M 0 14 L 5.2 0 L 10.4 14",
    /* W */ "M 0 14 L 3.7 0 L 7.4 13.4 L 11.1 0 L 14.8 14",
    /* X */ "M 0 0 L 9.4 14 M 0 14 L 9.4 0",
    /* Y */ "M 0 14 L 4.9 6.6 L 9.8 14 M 4.9 6.6 L 4.9 0",
    /* Z */ "M 0 14 L 8.8 14 L 0 0 L 8.8 0",
    /* [ */ "M 3 15.2 L 0 15.2 L 0 -3 L 3 -3",
    /* \ */ "M 0 15 L 6 -1.6",
    /* ] */ "M 0 15.2 L 3 15.2 L 3 -3 L 0 -3",
    /* ^ */ "M 0 8.6 L 3.6 14 L 7.2 8.6",
    /* _ */ "M 0 -2.4 L 8 -2.4",
    /* ` */ "M 0 14 L 2.4 11.4",
    /* a */
    "M .7 8.4 C 1.5 9.4 2.6 10 4 10 C 6.2 10 7.3 8.8 7.3 6.8 L 7.3 0 M 7.3 5.9 C 3 5.9 0 5.5 0 2.8 "
    "C 0 1 1.4 0 "
    "3.2 0 C 5.4 0 7.3 1.5 7.3 4",
    /* b */ "M 0 0 L 0 14 M 0 5 A 4.1 5 4.1 5 180 -180",
    /* c */ "A 4.4 5 4.4 5 48 312",
    /* d */ "M 8.2 0 L 8.2 14 O 4.1 5 4.1 5",
    /* e */ "M .1 5.3 L 8.4 5.3 A 4.2 5 4.2 5 3 316",
    /* f */ "M 5.2 13.8 C 2.8 14.4 1.9 13.2 1.9 11 L 1.9 0 M 0 9.8 L 4.8 9.8",
    /* g */ "O 4.1 5 4.1 5 M 8.2 10 L 8.2 0 C 8.2 -2.8 6.6 -4.2 4.2 -4.2 C 2.6 -4.2 1.4 -3.8 .7 -3",
    /* h */ "M 0 0 L 0 14 M 0 5.8 C .3 8.4 1.8 10 4 10 C 6.3 10 7.4 8.6 7.4 6.2 L 7.4 0",
    /* i */ "M 0 0 L 0 10 O 0 13.5 .3 .3",
    /* j */ "M 1.8 10 L 1.8 -1.6 C 1.8 -3.6 1 -4.3 -.4 -4 O 1.8 13.5 .3 .3",
    /* k */ "M 0 0 L 0 14 M 6.8 10 L 0 3.6 M 2.6 6 L 7.2 0",
    /* l */ "M 0 14 L 0 2.4 C 0 .6 .8 -.1 2.1 .1",
    /* m */
    "M 0 0 L 0 10 M 0 6 C .3 8.6 1.5 10 3.3 10 C 5.2 10 6 8.7 6 6.6 L 6 0 M 6 6 C 6.3 8.6 7.5 10 "
    "9.3 10 C 11.2 "
    "10 12 8.7 12 6.6 L 12 0",
    /* n */ "M 0 0 L 0 10 M 0 5.8 C .3 8.4 1.8 10 4 10 C 6.3 10 7.4 8.6 7.4 6.2 L 7.4 0",
    /* o */ "O 4.3 5 4.3 5",
    /* p */ "M 0 -4.2 L 0 10 M 0 5 A 4.1 5 4.1 5 180 -180",
    /* q */ "M 8.2 -4.2 L 8.2 10 O 4.1 5 4.1 5",
    /* r */ "M 0 0 L 0 10 M 0 5.6 C .3 8.4 1.8 10 4.2 9.8",
    /* s */
    "M 6.5 8.4 C 6 9.4 4.9 10 3.5 10 C 1.7 10 .4 9.1 .4 7.6 C .4 6 1.8 5.6 3.5 5.2 C 5.4 4.8 6.9 "
    "4.2 6.9 2.6 C "
    "6.9 1 5.4 0 3.5 0 C 1.9 0 .6 .7 0 1.9",
    /* t */ "M 1.9 13 L 1.9 3 C 1.9 .8 2.9 -.3 4.9 .2 M 0 9.8 L 4.8 9.8",
    /* u */ "M 0 10 L 0 3.8 C 0 1.4 1.1 0 3.4 0 C 5.6 0 7.1 1.6 7.4 4.2 M 7.4 10 L 7.4 0",
    /* v */ "M 0 10 L 3.8 0 L 7.6 10",
    /* w */ "M 0 10 L 2.9 0 L 5.8 9.4 L 8.7 0 L 11.6 10",
    /* x */ "M 0 10 L 7.2 0 M 7.2 10 L 0 0",
    /* y */ "M 0 10 L 3.9 .2 M 7.8 10 L 3.2 -1.8 C 2.5 -3.7 1.7 -4.3 .2 -4.1",
    /* z */ "M 0 10 L 7 10 L 0 0 L 7 0",
    /* { */
    "M 3.6 15.2 C 2 15.2 1.6 14.4 1.6 13 L 1.6 8.6 C 1.6 7 1.2 6.2 0 6 C 1.2 5.8 1.6 5 1.6 3.4 L "
    "1.6 -1 C 1.6 "
    "-2.4 2 -3.2 3.6 -3.2",
    /* | */ "M 0 15.2 L 0 -3.2",
    /* } */
    "M 0 15.2 C 1.6 15.2 2 14.4 2 13 L 2 8.6 C 2 7 2.4 6.2 3.6 6 C 2.4 5.8 2 5 2 3.4 L 2 -1 C 2 "
    "-2.4 1.6 -3.2 0 "
    "-3.2",
    /* ~ */ "M 0 4.8 C 1 7.4 2.8 7.2 4.2 6 C 5.6 4.8 7.4 4.6 8.4 7.2",
};
static_assert(std::size(kPaths) == '~' - ' ' + 1);

/// A point of an oval a little squarer than an ellipse, as letters are.
Point on_oval(double cx, double cy, double rx, double ry, double degrees) {
  const double a = degrees * std::numbers::pi / 180, power = 2 / 2.2;
  const auto bend = [power](double v) { return std::copysign(std::pow(std::abs(v), power), v); };
  return {cx + rx * bend(std::cos(a)), cy + ry * bend(std::sin(a))};
}

class PathReader {
 public:
  std::vector<std::vector<Point>> read(const char* text) {
    std::istringstream in(text);
    for (std::string command; in >> command;) {
      switch (command[0]) {
        case 'M':
          begin(point(in));
          break;
        case 'L':
          to(point(in));
          break;
        case 'C': {
          const Point b = point(in), c = point(in), d = point(in);
          cubic(b, c, d);
          break;
        }
        case 'A': {
          const Point c = point(in), r = point(in), angles = point(in);
          arc(c, r, angles.x, angles.y);
          pen_down_ = true;
          break;
        }
        case 'O': {
          const Point c = point(in), r = point(in);
          pen_down_ = false;
          arc(c, r, 0, 360);
          pen_down_ = false;
          break;
        }
        default:
          break;
      }
    }
    return std::move(strokes_);
  }

 private:
  static Point point(std::istream& in) {
    Point p;
    in >> p.x >> p.y;
    return p;
  }
  void begin(Point p) {
    strokes_.push_back({p});
    pen_down_ = true;
  }
  void to(Point p) { pen_down_ ? strokes_.back().push_back(p) : begin(p); }
  void arc(Point c, Point r, double from, double to_angle) {
    const int steps = std::max(4, static_cast<int>(std::abs(to_angle - from) / 9));
    for (int i = 0; i <= steps; ++i)
      to(on_oval(c.x, c.y, r.x, r.y, from + (to_angle - from) * i / steps));
  }
  void cubic(Point b, Point c, Point d) {
    constexpr int kSteps = 10;
    const Point a = strokes_.back().back();
    for (int i = 1; i <= kSteps; ++i) {
      const double t = static_cast<double>(i) / kSteps, s = 1 - t;
      const double wa = s * s * s, wb = 3 * s * s * t, wc = 3 * s * t * t, wd = t * t * t;
      to({wa * a.x + wb * b.x + wc * c.x + wd * d.x, wa * a.y + wb * b.y + wc * c.y + wd * d.y});
    }
  }

  std::vector<std::vector<Point>> strokes_;
  bool pen_down_ = false;
};

Glyph make_glyph(const char* path) {
  Glyph g;
  g.strokes = PathReader().read(path);
  double right = g.strokes.empty() ? 2 : 0;
  for (auto& stroke : g.strokes)
    for (Point& p : stroke) {
      right = std::max(right, p.x);
      p = {(p.x + kBearing) / kUnits, p.y / kUnits};
    }
  if (path[0] == '#') right = 8;
  g.advance = (right + 2 * kBearing) / kUnits;
  return g;
}

}  // namespace

const Glyph& glyph(char c) {
  static const auto font = [] {
    std::array<Glyph, std::size(kPaths)> glyphs;
    for (size_t i = 0; i < glyphs.size(); ++i) glyphs[i] = make_glyph(kPaths[i]);
    return glyphs;
  }();
  return font[(c >= ' ' && c <= '~' ? c : '?') - ' '];
}

double text_width(std::string_view text, double size) {
  double width = 0;
  for (char c : text) width += glyph(c).advance;
  return width * size;
}

}  // namespace latent
