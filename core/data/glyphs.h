// Skeletons of the ten digits: what a pen follows.
#pragma once

#include <span>
#include <vector>

namespace latent {

struct PenPoint {
  double x = 0, y = 0;
};

/// One way of writing a digit. A stroke is a list of places in `points`, joined by a smooth curve; strokes that meet
/// share a point, so that bending a skeleton does not tear it. A stroke that ends where it began is a loop.
struct DigitShape {
  int digit;
  std::vector<PenPoint> points;  ///< x to the right, y down, the digit within [-1, 1] x [-1, 1]
  std::vector<std::vector<int>> strokes;
};

/// The ways of writing a digit, 0 to 9.
std::span<const DigitShape> glyphs_of(int digit);

}  // namespace latent
