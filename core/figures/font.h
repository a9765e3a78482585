// A stroke font: every printable ASCII character as polylines, so that figures need no font file
// and text is crisp at any scale.
#pragma once

#include <string_view>
#include <vector>

#include "core/figures/geometry.h"

namespace latent {

/// Polylines in units of the em (baseline y = 0, upwards; capitals are 0.7 high) and the advance.
struct Glyph {
  std::vector<std::vector<Point>> strokes;
  double advance = 0;
};

/// Characters outside of printable ASCII are drawn as '?'.
const Glyph& glyph(char c);

/// Width of `text` set at `size` (the em), in the unit of `size`.
double text_width(std::string_view text, double size);

inline constexpr double kStrokeRegular = 0.078, kStrokeBold = 0.112;  ///< pen widths in em
inline constexpr double kCapHeight = 0.7, kXHeight = 0.5;

}  // namespace latent
