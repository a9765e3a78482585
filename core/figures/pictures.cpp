// Figures made of small pictures: examples, codes, filters.
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/base/error.h"
#include "core/figures/figures.h"
#include "core/figures/font.h"
#include "core/figures/raster.h"
#include "core/report/number.h"

namespace latent {
namespace {

constexpr double kPage = 740, kMargin = 12, kGap = 6, kSize = 12;

struct Range {
  float low = std::numeric_limits<float>::infinity();
  float high = -std::numeric_limits<float>::infinity();
  void take(std::span<const float> values) {
    for (float v : values)
      if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
    if (!(low <= high)) low = high = 0;  // nothing finite at all
  }
  uint8_t grey(float v) const {
    if (!(high > low)) return 0;
    const float t = std::clamp((v - low) / (high - low), 0.0f, 1.0f);
    return std::isfinite(v) ? static_cast<uint8_t>(std::lround(255 * t)) : 0;
  }
};

std::span<const float> row_of(const Rows& rows, int64_t i) {
  return rows.values.subspan(i * rows.size(), rows.size());
}

Image picture_of(const Rows& rows, int64_t i, const Range& range) {
  const int height = rows.shape[0], width = rows.shape[1], channels = rows.shape[2];
  const auto values = row_of(rows, i);
  Image out(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const float* v = &values[(static_cast<size_t>(y) * width + x) * channels];
      if (channels == 3) {
        out.set(x, y, {range.grey(v[0]), range.grey(v[1]), range.grey(v[2])});
      } else {
        float sum = 0;
        for (int c = 0; c < channels; ++c) sum += v[c];
        const uint8_t g = range.grey(sum / channels);
        out.set(x, y, {g, g, g});
      }
    }
  return out;
}

void check_sets(std::span<const ExampleSet> sets) {
  if (sets.empty() || sets[0].rows.count() == 0)
    throw std::invalid_argument("figure: no rows to show");
  for (const auto& set : sets)
    if (set.rows.shape != sets[0].rows.shape || set.rows.count() < sets[0].rows.count())
      throw std::invalid_argument(
          cat("figure: '", set.label, "' does not match '", sets[0].label, "'"));
}

double label_width(std::span<const ExampleSet> sets) {
  double widest = 0;
  for (const auto& set : sets) widest = std::max(widest, text_width(set.label, kSize));
  return widest + 10;
}

Image draw_pictures(std::span<const ExampleSet> sets, int count) {
  const int height = sets[0].rows.shape[0], width = sets[0].rows.shape[1];
  const int cell = std::max(1, 60 / std::max(height, width));
  const double step_x = width * cell + kGap, step_y = height * cell + kGap,
               left = label_width(sets);
  const int columns = std::clamp(static_cast<int>((kPage - left) / step_x), 1, std::min(count, 10));
  const int blocks = (count + columns - 1) / columns;
  const double block = step_y * sets.size() + kGap * 1.5;
  Range range;
  range.take(sets[0].rows.values);

  RasterSurface page(2 * kMargin + left + columns * step_x - kGap,
                     2 * kMargin + blocks * block - 2.5 * kGap);
  for (int i = 0; i < count; ++i)
    for (size_t s = 0; s < sets.size(); ++s) {
      const double x = kMargin + left + i % columns * step_x;
      const double y = kMargin + i / columns * block + s * step_y;
      page.picture({x, y}, picture_of(sets[s].rows, i, range), cell);
      if (i % columns == 0)
        page.text({kMargin + left - 10, y + height * cell / 2.0 + kSize * 0.35}, sets[s].label,
                  {.size = kSize, .align = Align::kRight});
    }
  return page.image();
}

void draw_curve(std::span<const float> values, int64_t channel, int64_t channels,
                const Range& range, const Box& box, const Stroke& stroke, Surface& page) {
  const int64_t length = static_cast<int64_t>(values.size()) / channels;
  std::vector<Point> points;
  const auto flush = [&] {  // a missing value leaves a gap
    if (!points.empty()) page.polyline(points, stroke);
    points.clear();
  };
  for (int64_t t = 0; t < length; ++t) {
    const float v = values[t * channels + channel];
    if (!std::isfinite(v)) {
      flush();
      continue;
    }
    const double along = length > 1 ? static_cast<double>(t) / (length - 1) : 0.5;
    const double up = range.high > range.low ? (v - range.low) / (range.high - range.low) : 0.5;
    points.push_back({box.x + along * box.width, box.bottom() - up * box.height});
  }
  flush();
}

/// The panels' colours: the original in ink, what came of it in colour over it.
Stroke curve_stroke(size_t set) {
  return set == 0 ? Stroke{.ink = Ink::kText, .width = 1.3}
                  : Stroke{.ink = series_ink(set), .width = 1.5};
}

Image draw_series(std::span<const ExampleSet> sets, int count) {
  constexpr int64_t kMaxStrips = 4;
  const auto& shape = sets[0].rows.shape;
  const int64_t channels = shape.size() > 1 ? shape[1] : 1, strips = std::min(channels, kMaxStrips);
  const int columns = std::min(count, 5), lines = (count + columns - 1) / columns;
  const double width = (kPage - (columns - 1) * 14) / std::max(columns, 3),
               strip = strips == 1 ? 84 : 48;
  const double height = strips * strip, legend = 26;
  Range range;
  for (const auto& set : sets) range.take(set.rows.values);

  RasterSurface page(2 * kMargin + columns * (width + 14) - 14,
                     2 * kMargin + legend + lines * (height + 14) - 14);
  double x = kMargin;
  for (size_t s = 0; s < sets.size(); ++s) {
    page.line({x, kMargin + 8}, {x + 18, kMargin + 8}, curve_stroke(s));
    page.text({x + 24, kMargin + 12}, sets[s].label, {.size = kSize});
    x += 24 + text_width(sets[s].label, kSize) + 18;
  }
  std::string note = cat(format_number(range.low, 3), " to ", format_number(range.high, 3));
  if (strips < channels) note += cat(", channels 0-", strips - 1, " of ", channels);
  page.text({x, kMargin + 12}, note, {.size = kSize, .ink = Ink::kMuted});

  for (int i = 0; i < count; ++i)
    for (int64_t c = 0; c < strips; ++c) {
      const Box panel{kMargin + i % columns * (width + 14),
                      kMargin + legend + i / columns * (height + 14) + c * strip, width, strip - 3};
      page.rect(panel, Ink::kSoft, 1, 2);
      const Box inside{panel.x + 5, panel.y + 5, panel.width - 10, panel.height - 10};
      for (size_t s = 0; s < sets.size(); ++s)
        draw_curve(row_of(sets[s].rows, i), c, channels, range, inside, curve_stroke(s), page);
    }
  return page.image();
}

/// "2 of 32 units never fire: 4, 17"; at most `most` are named.
std::string dead_text(std::span<const int64_t> dead, int64_t units, size_t most) {
  if (dead.empty()) return cat("every unit fires (", units, ")");
  std::string out = cat(dead.size(), " of ", units, " units never fire: ");
  for (size_t i = 0; i < std::min(dead.size(), most); ++i) out += cat(i ? ", " : "", dead[i]);
  if (dead.size() > most) out += cat(" and ", dead.size() - most, " more");
  return out;
}

/// A bar from black to white with the values at its ends; `right` is where it ends.
void draw_scale_bar(Point right, const Range& range, RasterSurface& page) {
  constexpr int kWidth = 72, kHeight = 8;
  const std::string low = format_number(range.low, 3), high = format_number(range.high, 3);
  Image ramp(kWidth, kHeight);
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x) {
      const auto g = static_cast<uint8_t>(255 * x / (kWidth - 1));
      ramp.set(x, y, {g, g, g});
    }
  const double x = right.x - text_width(high, kSize) - 6 - kWidth;
  page.rect({x - 1, right.y - kHeight - 1, kWidth + 2.0, kHeight + 2.0}, Ink::kMuted, 1, 0);
  page.picture({x, right.y - kHeight}, ramp, 1);
  page.text({x - 6, right.y}, low, {.size = kSize, .ink = Ink::kMuted, .align = Align::kRight});
  page.text({right.x, right.y}, high, {.size = kSize, .ink = Ink::kMuted, .align = Align::kRight});
}

}  // namespace

int64_t Rows::size() const {
  int64_t n = 1;
  for (int64_t s : shape) n *= s;
  return n;
}

int64_t Rows::count() const { return size() ? static_cast<int64_t>(values.size()) / size() : 0; }

Image draw_examples(std::span<const ExampleSet> sets, int count) {
  check_sets(sets);
  count = static_cast<int>(std::clamp<int64_t>(count, 1, sets[0].rows.count()));
  return sets[0].rows.shape.size() == 3 ? draw_pictures(sets, count) : draw_series(sets, count);
}

Image draw_reconstructions(const Rows& originals, const Rows& reconstructions, int count) {
  const ExampleSet sets[] = {{"original", originals}, {"reconstruction", reconstructions}};
  return draw_examples(sets, count);
}

std::pair<int, int> code_shape(int64_t units) {
  const auto across = [units](int64_t height) {
    return static_cast<int>((units + height - 1) / height);
  };
  if (units > 256) {
    const int height = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(units))));
    return {height, across(height)};
  }
  for (int height = static_cast<int>(std::min<int64_t>(units, 16)); height >= 8; --height)
    if (units % height == 0) return {height, across(height)};
  // No height fits: the last cells stay empty.
  const int width = across(16);
  return {across(width), width};
}

Image draw_codes(const CodesFigure& figure, int count) {
  if (figure.units < 1 || figure.codes.size() < static_cast<size_t>(figure.units))
    throw std::invalid_argument("figure: no codes to show");
  const bool above = figure.originals && figure.originals->shape.size() == 3;
  int64_t rows = static_cast<int64_t>(figure.codes.size()) / figure.units;
  if (above) rows = std::min(rows, figure.originals->count());
  count = static_cast<int>(std::clamp<int64_t>(count, 1, std::min<int64_t>(rows, 10)));
  const auto [height, width] = figure.shape.value_or(code_shape(figure.units));
  const int cell = std::max(1, std::min({96 / height, 60 / width, 20}));

  const int tall = above ? figure.originals->shape[0] : 0,
            wide = above ? figure.originals->shape[1] : 0;
  const int zoom = above ? std::max(1, 60 / std::max(tall, wide)) : 0;
  const ExampleSet labels[] = {{"original", {}}, {"code", {}}};
  const double left = label_width(labels), step = std::max({wide * zoom, width * cell, 60}) + kGap;
  const double codes_y = kMargin + (above ? tall * zoom + 2 * kGap : 0);
  const double notes_y = codes_y + height * cell + 2 * kGap + kSize;
  const double page_width = 2 * kMargin + left + std::max(count * step - kGap, 420.0);
  RasterSurface page(page_width, notes_y + kMargin);

  Range range, pixels;
  range.take(figure.codes.first(static_cast<size_t>(count) * figure.units));
  if (above) pixels.take(figure.originals->values);
  const double text_x = kMargin + left - 10;
  if (above)
    page.text({text_x, kMargin + tall * zoom / 2.0 + 4}, "original", {.align = Align::kRight});
  page.text({text_x, codes_y + height * cell / 2.0 + 4}, "code", {.align = Align::kRight});
  for (int i = 0; i < count; ++i) {
    const double x = kMargin + left + i * step, middle = (step - kGap) / 2;
    if (above)
      page.picture({x + middle - wide * zoom / 2.0, kMargin},
                   picture_of(*figure.originals, i, pixels), zoom);
    Image code(width, height);
    for (int64_t u = 0; u < std::min<int64_t>(figure.units, width * height); ++u) {
      const uint8_t g = range.grey(figure.codes[i * figure.units + u]);
      code.set(static_cast<int>(u % width), static_cast<int>(u / width), {g, g, g});
    }
    const Point corner{std::round(x + middle - width * cell / 2.0), codes_y};
    page.rect({corner.x - 1, corner.y - 1, width * cell + 2.0, height * cell + 2.0}, Ink::kMuted, 1,
              0);
    page.picture(corner, code, cell);
    for (int64_t u : figure.dead)
      if (u < width * height)
        page.circle({corner.x + (u % width + 0.5) * cell, corner.y + (u / width + 0.5) * cell},
                    std::max(0.7, cell * 0.28), Ink::kDead, 1);
  }
  double note_x = kMargin + left;
  if (!figure.dead.empty()) {
    page.circle({note_x + 4, notes_y - 4}, 3, Ink::kDead, 1);
    note_x += 13;
  }
  page.text({note_x, notes_y}, dead_text(figure.dead, figure.units, 8), {.ink = Ink::kMuted});
  draw_scale_bar({page_width - kMargin, notes_y}, range, page);
  return page.image();
}

Image draw_filters(const Rows& weights, int count) {
  if (weights.shape.size() != 3 || weights.count() == 0)
    throw std::invalid_argument("figure: filters need weights in the shape of a picture");
  count = static_cast<int>(std::clamp<int64_t>(count, 1, weights.count()));
  const int height = weights.shape[0], width = weights.shape[1];
  const int columns = count <= 8 ? count : count <= 32 ? 8 : 16;
  const int cell = std::max(1, static_cast<int>((kPage / columns - 4) / width));
  const int lines = (count + columns - 1) / columns;
  const double step_x = width * cell + 4, step_y = height * cell + 4;
  std::string note = "weights of the first layer, each scaled to its largest magnitude; grey is 0";
  if (count < weights.count()) note += cat("; ", count, " of ", weights.count());
  RasterSurface page(2 * kMargin + std::max(columns * step_x - 4, text_width(note, kSize)),
                     2 * kMargin + lines * step_y + kSize + 2);
  for (int i = 0; i < count; ++i) {
    float most = 0;
    for (float w : row_of(weights, i)) most = std::isfinite(w) ? std::max(most, std::abs(w)) : most;
    if (most == 0) most = 1;
    page.picture({kMargin + i % columns * step_x, kMargin + i / columns * step_y},
                 picture_of(weights, i, {-most, most}), cell);
  }
  page.text({kMargin, kMargin + lines * step_y + kSize}, note, {.size = kSize, .ink = Ink::kMuted});
  return page.image();
}

}  // namespace latent
