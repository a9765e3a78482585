#include "core/figures/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/figures/font.h"
#include "core/report/number.h"

namespace latent {
namespace {

constexpr double kTitleSize = 14, kLabelSize = 12, kTickSize = 11.5;

/// 1, 2 or 5 times a power of ten, at least `span / max_ticks`.
double nice_step(double span, int max_ticks) {
  const double rough = span / max_ticks, power = std::pow(10, std::floor(std::log10(rough)));
  for (double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

/// All labels of an axis with as many decimals as its step needs.
std::string tick_label(double value, double step) {
  const double size = std::max(std::abs(value), std::abs(step));
  if (value != 0 && (size >= 1e6 || size < 1e-4)) return format_number(value, 3);
  if (step >= 1) return format_count(std::llround(value));
  const int decimals = static_cast<int>(std::ceil(-std::log10(step) - 1e-9));
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.*f", decimals, value);
  return buffer;
}

bool drawable(const Axis& axis, double v) { return std::isfinite(v) && (!axis.log || v > 0); }

struct LegendRow {
  std::vector<size_t> series;
  double width = 0;
};
constexpr double kSwatch = 18, kSwatchGap = 6, kEntryGap = 18;

std::vector<LegendRow> legend_rows(const Chart& chart, double width) {
  std::vector<LegendRow> rows;
  if (chart.series.size() < 2) return rows;
  for (size_t i = 0; i < chart.series.size(); ++i) {
    const double entry =
        kSwatch + kSwatchGap + text_width(chart.series[i].name, kLabelSize) + kEntryGap;
    if (rows.empty() || rows.back().width + entry > width) rows.emplace_back();
    rows.back().series.push_back(i);
    rows.back().width += entry;
  }
  return rows;
}

void draw_legend(const Chart& chart, const std::vector<LegendRow>& rows, Point at,
                 Surface& surface) {
  for (const LegendRow& row : rows) {
    double x = at.x;
    for (size_t i : row.series) {
      const Series& s = chart.series[i];
      const double middle = at.y - kLabelSize * 0.25;
      surface.line({x, middle}, {x + kSwatch, middle},
                   {.ink = s.ink, .width = 2, .dash = s.dashed ? 4.0 : 0.0});
      if (s.markers) surface.circle({x + kSwatch / 2, middle}, 2.6, s.ink, 1);
      surface.text({x + kSwatch + kSwatchGap, at.y}, s.name, {.size = kLabelSize});
      x += kSwatch + kSwatchGap + text_width(s.name, kLabelSize) + kEntryGap;
    }
    at.y += 18;
  }
}

void draw_series(const Chart& chart, const Series& s, const Frame& frame, Surface& surface) {
  std::vector<Point> run;
  const auto flush = [&] {
    if (run.size() > 1)
      surface.polyline(run, {.ink = s.ink, .width = 1.8, .dash = s.dashed ? 5.0 : 0.0});
    // A lone value between gaps would leave no line: it is a dot.
    if (s.markers || run.size() == 1)
      for (const Point& p : run) surface.circle(p, 2.6, s.ink, 1);
    run.clear();
  };
  for (size_t i = 0; i < s.x.size(); ++i) {
    if (drawable(chart.x, s.x[i]) && drawable(chart.y, s.y[i])) {
      run.push_back(frame.at(s.x[i], s.y[i]));
    } else {
      flush();
    }
  }
  flush();
}

}  // namespace

AxisScale::AxisScale(const Axis& axis, double lowest, double highest, int max_ticks)
    : log_(axis.log) {
  low_ = log_ ? std::log10(lowest) : lowest;
  high_ = log_ ? std::log10(highest) : highest;
  if (axis.from_zero && !log_) low_ = std::min(low_, 0.0), high_ = std::max(high_, 0.0);
  if (!(high_ > low_)) {  // one value: a unit around it
    const double around = log_ ? 0.5 : std::max(std::abs(low_) * 0.1, 0.5);
    low_ -= around, high_ += around;
  }
  log_ ? log_ticks(max_ticks) : linear_ticks(axis.integer, max_ticks);
}

double AxisScale::at(double value) const {
  return ((log_ ? std::log10(value) : value) - low_) / (high_ - low_);
}

void AxisScale::linear_ticks(bool integer, int max_ticks) {
  double step = nice_step(high_ - low_, max_ticks);
  if (integer) step = std::max(1.0, step);
  const double first = std::ceil(low_ / step - 1e-9), last = std::floor(high_ / step + 1e-9);
  for (double i = first; i <= last; ++i) {
    const double value = i == 0 ? 0 : i * step;
    ticks_.push_back({value, tick_label(value, step)});
  }
}

/// Powers of ten; with few of them also their multiples by 2 and 5, and within one octave plain
/// steps.
void AxisScale::log_ticks(int max_ticks) {
  const int decades = static_cast<int>(std::floor(high_) - std::ceil(low_)) + 1;
  const int every = std::max(1, (decades + max_ticks - 1) / max_ticks);
  for (int d = static_cast<int>(std::floor(low_)); d <= static_cast<int>(std::ceil(high_)); ++d)
    for (int factor : {1, 2, 5}) {
      if (factor > 1 && decades > 3) continue;
      if (factor == 1 && d % every != 0) continue;
      const double value = factor * std::pow(10.0, d), place = std::log10(value);
      if (place < low_ - 1e-9 || place > high_ + 1e-9) continue;
      ticks_.push_back({value, format_number(value, 3)});
    }
  if (ticks_.size() >= 3) return;
  ticks_.clear();
  const double low = std::pow(10, low_), high = std::pow(10, high_);
  const double step = nice_step(high - low, max_ticks);
  for (double i = std::ceil(low / step - 1e-9); i * step <= high * (1 + 1e-9); ++i)
    if (i > 0) ticks_.push_back({i * step, tick_label(i * step, step)});
}

Frame draw_frame(const Chart& chart, const Limits& limits, const Box& box, Surface& surface) {
  double top = box.y;
  if (!chart.title.empty()) {
    surface.text({box.x, top + kTitleSize}, chart.title, {.size = kTitleSize, .bold = true});
    top += kTitleSize + 10;
  }
  const auto legend = legend_rows(chart, box.width);
  draw_legend(chart, legend, {box.x, top + kLabelSize}, surface);
  top += 18.0 * legend.size() + (legend.empty() ? 4 : 8);

  const double label_height = chart.x.label.empty() ? 0 : kLabelSize + 8;
  Box plot{box.x, top, box.width, box.bottom() - top - kTickSize - 9 - label_height};
  AxisScale y(chart.y, limits.y0, limits.y1, std::max(2, static_cast<int>(plot.height / 30)));
  double widest = 0;
  for (const auto& tick : y.ticks()) widest = std::max(widest, text_width(tick.label, kTickSize));
  const double left = widest + 8 + (chart.y.label.empty() ? 0 : kLabelSize + 8);
  plot.x += left, plot.width -= left + 6;
  AxisScale x(chart.x, limits.x0, limits.x1, std::max(2, static_cast<int>(plot.width / 64)));

  Frame frame{plot, std::move(x), std::move(y)};
  for (const auto& tick : frame.y.ticks()) {
    const double at = plot.bottom() - frame.y.at(tick.value) * plot.height;
    surface.line({plot.x, at}, {plot.right(), at}, {.ink = Ink::kGrid, .width = 1});
    surface.text({plot.x - 8, at + kTickSize * 0.35}, tick.label,
                 {.size = kTickSize, .ink = Ink::kMuted, .align = Align::kRight});
  }
  surface.line({plot.x, plot.bottom()}, {plot.right(), plot.bottom()},
               {.ink = Ink::kMuted, .width = 1});
  for (const auto& tick : frame.x.ticks()) {
    const double at = plot.x + frame.x.at(tick.value) * plot.width;
    surface.line({at, plot.bottom()}, {at, plot.bottom() + 4}, {.ink = Ink::kMuted, .width = 1});
    surface.text({at, plot.bottom() + 7 + kTickSize}, tick.label,
                 {.size = kTickSize, .ink = Ink::kMuted, .align = Align::kCenter});
  }
  surface.text({plot.center().x, box.bottom() - 3}, chart.x.label,
               {.size = kLabelSize, .align = Align::kCenter});
  surface.text({box.x + kLabelSize - 2, plot.center().y}, chart.y.label,
               {.size = kLabelSize, .align = Align::kCenter, .upward = true});
  return frame;
}

void draw_chart(const Chart& chart, const Box& box, Surface& surface) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  Limits limits{kInf, -kInf, kInf, -kInf};
  for (const Series& s : chart.series)
    for (size_t i = 0; i < s.x.size(); ++i)
      if (drawable(chart.x, s.x[i]) && drawable(chart.y, s.y[i])) {
        limits.x0 = std::min(limits.x0, s.x[i]), limits.x1 = std::max(limits.x1, s.x[i]);
        limits.y0 = std::min(limits.y0, s.y[i]), limits.y1 = std::max(limits.y1, s.y[i]);
      }
  if (limits.x0 > limits.x1) limits = {1, 2, 1, 2};  // nothing to draw: empty axes
  if (!chart.y.log) {
    const double air = 0.04 * (limits.y1 - limits.y0);
    limits.y0 -= air, limits.y1 += air;
  } else {
    limits.y0 /= 1.04, limits.y1 *= 1.04;
  }
  const Frame frame = draw_frame(chart, limits, box, surface);
  for (const Series& s : chart.series) draw_series(chart, s, frame, surface);
}

}  // namespace latent
