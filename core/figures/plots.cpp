// Figures with axes: curves, units, latents, spectrum.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/base/error.h"
#include "core/figures/figures.h"
#include "core/figures/font.h"
#include "core/figures/raster.h"
#include "core/figures/svg.h"

namespace latent {
namespace {

constexpr double kMargin = 14;

Box inside(double width, double height) {
  return {kMargin, kMargin, width - 2 * kMargin, height - 2 * kMargin};
}

void cross(Point at, double r, Surface& page) {
  const Stroke stroke{.ink = Ink::kDead, .width = 1.6};
  page.line({at.x - r, at.y - r}, {at.x + r, at.y + r}, stroke);
  page.line({at.x - r, at.y + r}, {at.x + r, at.y - r}, stroke);
}

/// A word on a patch of paper, readable over points.
void draw_name(Point at, const std::string& name, Surface& page) {
  const double width = text_width(name, 14) + 10;
  page.rect({at.x - width / 2, at.y - 10, width, 20}, Ink::kPaper, 0.88, 4);
  page.text({at.x, at.y + 5}, name, {.size = 14, .align = Align::kCenter, .bold = true});
}

double median(std::vector<float>& values) {
  const auto middle = values.begin() + values.size() / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

Chart curves_chart(std::span<const Curve> curves, const std::string& x_label,
                   const std::string& y_label, bool log) {
  Chart chart;
  chart.x = {.label = x_label, .integer = true};
  chart.y = {.label = y_label, .log = log};
  for (size_t i = 0; i < curves.size(); ++i) {
    const Curve& c = curves[i];
    if (c.x.size() != c.y.size()) throw std::invalid_argument(cat("curve '", c.name, "': sizes"));
    chart.series.push_back(
        {.name = c.name, .x = c.x, .y = c.y, .ink = series_ink(i), .markers = c.x.size() <= 20});
  }
  return chart;
}

Chart spectrum_chart(std::span<const double> values, const std::string& label) {
  Chart chart;
  chart.x = {.label = "component", .integer = true};
  chart.y = {.label = label, .log = true};
  Series series{.name = label, .markers = values.size() <= 64};
  for (size_t i = 0; i < values.size(); ++i) {
    series.x.push_back(static_cast<double>(i + 1));
    series.y.push_back(values[i]);
  }
  chart.series.push_back(std::move(series));
  return chart;
}

Image draw_chart_image(const Chart& chart, int width, int height) {
  RasterSurface page(width, height);
  draw_chart(chart, inside(width, height), page);
  return page.image();
}

std::string draw_chart_svg(const Chart& chart, int width, int height) {
  SvgSurface page(width, height);
  draw_chart(chart, {2, 2, width - 4.0, height - 4.0}, page);
  return page.str(chart.title.empty() ? chart.y.label : chart.title);
}

Image draw_units(std::span<const double> mean, std::span<const int64_t> dead) {
  if (mean.empty()) throw std::invalid_argument("figure: no units to show");
  constexpr double kWidth = 740, kHeight = 280;
  std::vector<double> bars(mean.begin(), mean.end());
  for (double& v : bars) v = std::isfinite(v) ? v : 0;
  const auto [low, high] = std::minmax_element(bars.begin(), bars.end());
  const double units = static_cast<double>(mean.size());
  Chart chart;
  chart.x = {.label = "unit", .integer = true};
  chart.y = {.label = "mean activation", .from_zero = true};
  RasterSurface page(kWidth, kHeight);
  Box box = inside(kWidth, kHeight);
  const std::string note = dead.empty() ? cat("every unit fires (", mean.size(), ")")
                                        : cat("dead: ", dead.size(), " of ", mean.size());
  if (!dead.empty()) cross({box.x + 5, box.y + 7}, 3.5, page);
  page.text({box.x + (dead.empty() ? 0 : 15), box.y + 11}, note, {.ink = Ink::kMuted});
  box.y += 20, box.height -= 20;
  const Frame frame =
      draw_frame(chart, {-0.5, units - 0.5, *low, std::max(*high, *low + 1e-9)}, box, page);
  const double slot = frame.plot.width / units, bar = slot > 4 ? slot * 0.72 : slot;
  for (size_t i = 0; i < bars.size(); ++i) {
    const Point top = frame.at(static_cast<double>(i), bars[i]), zero = frame.at(i, 0);
    page.rect({top.x - bar / 2, std::min(top.y, zero.y), bar, std::abs(top.y - zero.y)},
              Ink::kSeries, 1, 0);
  }
  for (int64_t i : dead) {
    const Point zero = frame.at(static_cast<double>(i), 0);
    cross({zero.x, zero.y - 6}, std::clamp(slot * 0.25, 1.5, 3.5), page);
  }
  return page.image();
}

Image draw_latents(const LatentsFigure& figure) {
  const size_t rows = figure.points.size() / 2;
  if (rows == 0) throw std::invalid_argument("figure: no latents to show");
  if (!figure.labels.empty() && figure.labels.size() != rows)
    throw std::invalid_argument("figure: as many labels as latents");
  constexpr double kWidth = 600, kHeight = 560;
  std::vector<float> axis[2];
  for (size_t i = 0; i < 2 * rows; ++i)
    if (std::isfinite(figure.points[i])) axis[i % 2].push_back(figure.points[i]);
  if (axis[0].empty() || axis[1].empty()) throw std::invalid_argument("figure: no finite latents");
  double limits[4];
  for (int a = 0; a < 2; ++a) {
    const auto [low, high] = std::minmax_element(axis[a].begin(), axis[a].end());
    const double air = 0.03 * (*high - *low);
    limits[2 * a] = *low - air, limits[2 * a + 1] = *high + air;
  }
  Chart chart;
  chart.x.label = figure.x_label, chart.y.label = figure.y_label;
  RasterSurface page(kWidth, kHeight);
  const Frame frame = draw_frame(chart, {limits[0], limits[1], limits[2], limits[3]},
                                 inside(kWidth, kHeight), page);

  const double radius = rows > 3000 ? 1.4 : rows > 500 ? 2 : 3;
  std::vector<std::vector<float>> xs(figure.names.size()), ys(figure.names.size());
  for (size_t i = 0; i < rows; ++i) {
    const float x = figure.points[2 * i], y = figure.points[2 * i + 1];
    if (!std::isfinite(x) || !std::isfinite(y)) continue;
    const size_t label = figure.labels.empty() ? 0 : static_cast<size_t>(figure.labels[i]);
    page.circle(frame.at(x, y), radius, series_ink(label), rows > 500 ? 0.6 : 0.9);
    if (!figure.labels.empty() && label < xs.size()) xs[label].push_back(x), ys[label].push_back(y);
  }
  for (size_t k = 0; k < figure.names.size(); ++k)
    if (!xs[k].empty()) draw_name(frame.at(median(xs[k]), median(ys[k])), figure.names[k], page);
  return page.image();
}

}  // namespace latent
