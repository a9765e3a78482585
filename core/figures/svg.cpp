#include "core/figures/svg.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "core/base/error.h"
#include "core/figures/raster.h"

namespace latent {
namespace {

constexpr std::array<const char*, kInks> kNames = {"paper", "text", "muted", "grid", "soft", "dead",
                                                   "s0",    "s1",   "s2",    "s3",   "s4",   "s5",
                                                   "s6",    "s7",   "s8",    "s9"};
/// The same hues, lighter, for a dark page.
constexpr std::array<const char*, kInks> kDark = {
    "#14171b", "#e6e8eb", "#9aa3ad", "#2c3238", "#1c2025", "#ff8a3d", "#58aee8", "#ff8a3d",
    "#3fc79a", "#f0b84a", "#e39ac4", "#9ad2f5", "#d9739a", "#c6c65c", "#a5adb5", "#9d8cf0"};

std::string var(Ink ink) { return cat("var(--ink-", kNames[static_cast<size_t>(ink)], ")"); }

/// Two decimals are a hundredth of a pixel.
std::string number(double v) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2f", v);
  std::string text = buffer;
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string coordinates(std::span<const Point> points) {
  std::string out;
  for (const Point& p : points) out += number(p.x) + "," + number(p.y) + " ";
  if (!out.empty()) out.pop_back();
  return out;
}

std::string filled(Ink fill, double opacity) {
  std::string out = cat(" style=\"fill:", var(fill), "\"");
  if (opacity < 1) out += cat(" opacity=\"", number(opacity), "\"");
  return out;
}

}  // namespace

void SvgSurface::polyline(std::span<const Point> points, const Stroke& stroke) {
  body_ += cat("<polyline points=\"", coordinates(points), "\" style=\"stroke:", var(stroke.ink),
               "\" stroke-width=\"", number(stroke.width), "\"");
  if (stroke.dash > 0) body_ += cat(" stroke-dasharray=\"", number(stroke.dash), "\"");
  body_ += "/>\n";
}

void SvgSurface::polygon(std::span<const Point> points, Ink fill, double opacity) {
  body_ += cat("<polygon points=\"", coordinates(points), "\"", filled(fill, opacity), "/>\n");
}

void SvgSurface::rect(const Box& box, Ink fill, double opacity, double radius) {
  body_ += cat("<rect x=\"", number(box.x), "\" y=\"", number(box.y), "\" width=\"",
               number(box.width), "\" height=\"", number(box.height), "\"");
  if (radius > 0) body_ += cat(" rx=\"", number(radius), "\"");
  body_ += filled(fill, opacity) + "/>\n";
}

void SvgSurface::circle(Point center, double radius, Ink fill, double opacity) {
  body_ += cat("<circle cx=\"", number(center.x), "\" cy=\"", number(center.y), "\" r=\"",
               number(radius), "\"", filled(fill, opacity), "/>\n");
}

void SvgSurface::text(Point at, std::string_view text, const TextStyle& style) {
  constexpr const char* kAnchors[] = {"start", "middle", "end"};
  body_ += cat("<text x=\"", number(at.x), "\" y=\"", number(at.y), "\" font-size=\"",
               number(style.size), "\"");
  if (style.align != Align::kLeft)
    body_ += cat(" text-anchor=\"", kAnchors[static_cast<size_t>(style.align)], "\"");
  if (style.bold) body_ += " font-weight=\"600\"";
  if (style.upward)
    body_ += cat(" transform=\"rotate(-90 ", number(at.x), " ", number(at.y), ")\"");
  body_ += cat(filled(style.ink, 1), ">", escape_xml(text), "</text>\n");
}

std::string SvgSurface::str(std::string_view label) const {
  return cat("<svg viewBox=\"0 0 ", number(width_), " ", number(height_),
             "\" role=\"img\" aria-label=\"", escape_xml(label),
             "\" fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\">\n", body_,
             "</svg>\n");
}

std::string ink_variables(bool dark) {
  std::string out;
  for (size_t i = 0; i < kInks; ++i) {
    char light[8];
    const Color c = color_of(static_cast<Ink>(i));
    std::snprintf(light, sizeof light, "#%02x%02x%02x", c.r, c.g, c.b);
    out += cat("--ink-", kNames[i], ":", dark ? kDark[i] : light, ";");
  }
  return out;
}

std::string escape_xml(std::string_view text) {
  std::string out;
  for (char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  return out;
}

}  // namespace latent
