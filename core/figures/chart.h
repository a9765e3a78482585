// A chart of named series on two axes, drawn on any surface.
#pragma once

#include <string>
#include <vector>

#include "core/figures/surface.h"

namespace latent {

struct Series {
  std::string name;
  std::vector<double> x{}, y{};  ///< equally many; where y is not finite the line is broken
  Ink ink = Ink::kSeries;
  bool dashed = false;
  bool markers = false;
};

struct Axis {
  std::string label{};
  bool log = false;      ///< base 10; values <= 0 are left out
  bool integer = false;  ///< ticks at whole numbers alone
  bool from_zero = false;
};

struct Chart {
  std::string title;
  Axis x, y;
  std::vector<Series> series;
};

/// One axis fitted to values: its limits, its ticks with their labels, and where a value lies.
class AxisScale {
 public:
  AxisScale(const Axis& axis, double lowest, double highest, int max_ticks);
  /// In [0, 1] from the axis's lower to its upper end.
  double at(double value) const;
  struct Tick {
    double value;
    std::string label;
  };
  const std::vector<Tick>& ticks() const { return ticks_; }

 private:
  void linear_ticks(bool integer, int max_ticks);
  void log_ticks(int max_ticks);
  double low_, high_;
  bool log_;
  std::vector<Tick> ticks_;
};

/// Draws title, legend (from two series on), axes and series into `box`. Series without a point
/// that can be drawn keep their line in the legend.
void draw_chart(const Chart& chart, const Box& box, Surface& surface);

/// Axes without series: the inner box and both scales, for figures with marks of their own.
struct Frame {
  Box plot;
  AxisScale x, y;
  Point at(double vx, double vy) const {
    return {plot.x + x.at(vx) * plot.width, plot.bottom() - y.at(vy) * plot.height};
  }
};
/// The smallest and largest drawable value of all series, by axis, is given by the caller.
struct Limits {
  double x0, x1, y0, y1;
};
Frame draw_frame(const Chart& chart, const Limits& limits, const Box& box, Surface& surface);

}  // namespace latent
