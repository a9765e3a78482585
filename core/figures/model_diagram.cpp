// The model as a picture: six parts, bars for values, slanted blocks for the layers between them.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/base/error.h"
#include "core/figures/figures.h"
#include "core/figures/font.h"
#include "core/figures/raster.h"
#include "core/figures/svg.h"
#include "core/report/number.h"

namespace latent {
namespace {

constexpr double kMargin = 14, kBar = 10, kTallest = 168, kLowest = 22, kSmall = 11.5;
constexpr double kPartLine = 34;                        // where the parts' names end
constexpr double kMiddle = 34 + 30 + kTallest / 2;      // of all bars
constexpr double kKinds = kMiddle + kTallest / 2 + 28;  // first line of the layers' texts

Ink ink_of(const std::string& part) {
  if (part == "encoder") return series_ink(0);
  if (part == "bottleneck") return series_ink(3);
  if (part == "decoder") return series_ink(2);
  if (part == "corruption") return series_ink(4);
  return Ink::kMuted;
}

double elements(const LayerRow& layer) {
  double n = 1;
  for (int64_t s : layer.shape) n *= static_cast<double>(s);
  return n;
}

std::vector<std::string> lines_of(const std::string& kind) {
  std::vector<std::string> out{""};
  for (char c : kind) {
    if (c == ',') {
      out.emplace_back();
    } else if (c != ' ' || !out.back().empty()) {
      out.back() += c;
    }
  }
  return out;
}

class Diagram {
 public:
  explicit Diagram(const ModelFigure& model) : model_(model) {
    // The likelihood's box is drawn whether or not it has parameters.
    std::erase_if(model_.layers, [](const LayerRow& row) { return row.part == "likelihood"; });
    if (model_.layers.size() < 2) throw std::invalid_argument("figure: a model of one layer");
    for (const auto& layer : model_.layers) {
      widest_ = std::max(widest_, elements(layer));
      for (const auto& line : lines_of(layer.kind))
        slot_ = std::max(slot_, text_width(line, kSmall) + 14);
      slot_ = std::max(slot_, text_width(shape_text(layer.shape), kSmall) + 12);
    }
    const double steps = static_cast<double>(model_.layers.size()) - 1;
    slot_ = std::clamp(700 / (steps + 1.4), slot_, std::max(slot_, 150.0));
    width_ = 2 * kMargin + steps * slot_ + kBar + 53 + likelihood_width();
    for (const auto& layer : model_.layers) lines_ = std::max(lines_, lines_of(layer.kind).size());
    height_ =
        kKinds + lines_ * 15 + 15 + 24 * std::min<double>(1, model_.penalties.size()) + kMargin;
  }

  double width() const { return width_; }
  double height() const { return height_; }

  void draw(Surface& page) const {
    for (size_t i = 1; i < model_.layers.size(); ++i) block(i, page);
    for (size_t i = 0; i < model_.layers.size(); ++i) bar(i, page);
    parts(page);
    likelihood(page);
    penalties(page);
  }

 private:
  double likelihood_width() const { return std::max(text_width(model_.likelihood, 12) + 20, 64.0); }
  double left(size_t i) const { return kMargin + 22 + i * slot_; }
  /// Logarithmic, cubed so that narrowing is seen.
  double bar_height(size_t i) const {
    const double share = std::log1p(elements(model_.layers[i])) / std::log1p(widest_);
    return kLowest + (kTallest - kLowest) * share * share * share;
  }

  void bar(size_t i, Surface& page) const {
    const LayerRow& layer = model_.layers[i];
    const double high = bar_height(i);
    page.rect({left(i), kMiddle - high / 2, kBar, high}, ink_of(layer.part), 1, 2);
    page.text({left(i) + kBar / 2, kMiddle - high / 2 - 7}, shape_text(layer.shape),
              {.size = kSmall, .align = Align::kCenter, .bold = layer.part == "bottleneck"});
  }

  void block(size_t i, Surface& page) const {
    const LayerRow& layer = model_.layers[i];
    const double a = bar_height(i - 1) / 2, b = bar_height(i) / 2;
    const double x0 = left(i - 1) + kBar + 4, x1 = left(i) - 4;
    const Point corners[] = {
        {x0, kMiddle - a}, {x1, kMiddle - b}, {x1, kMiddle + b}, {x0, kMiddle + a}};
    page.polygon(corners, ink_of(layer.part), 0.22);
    double y = kKinds;
    for (const auto& line : lines_of(layer.kind)) {
      page.text({(x0 + x1) / 2, y}, line, {.size = kSmall, .align = Align::kCenter});
      y += 15;
    }
    if (layer.parameters > 0)
      page.text({(x0 + x1) / 2, kKinds + lines_ * 15}, format_count(layer.parameters),
                {.size = kSmall, .ink = Ink::kMuted, .align = Align::kCenter});
  }

  void parts(Surface& page) const {
    page.text({left(0) - 7, kMiddle}, model_.layers[0].part,
              {.ink = Ink::kMuted, .align = Align::kCenter, .upward = true});
    for (size_t first = 1; first < model_.layers.size();) {
      const std::string& part = model_.layers[first].part;
      size_t last = first;
      while (last + 1 < model_.layers.size() && model_.layers[last + 1].part == part) ++last;
      const double x0 = left(first - 1) + kBar + 4, x1 = left(last) + kBar;
      page.text({(x0 + x1) / 2, kPartLine - 9}, part,
                {.size = 12.5, .ink = ink_of(part), .align = Align::kCenter, .bold = true});
      page.line({x0, kPartLine}, {x1, kPartLine}, {.ink = ink_of(part), .width = 2});
      first = last + 1;
    }
  }

  void likelihood(Surface& page) const {
    const double x0 = left(model_.layers.size() - 1) + kBar + 6, x1 = x0 + 22;
    page.line({x0, kMiddle}, {x1 - 4, kMiddle}, {.ink = Ink::kMuted, .width = 1.4});
    const Point head[] = {{x1, kMiddle}, {x1 - 7, kMiddle - 4}, {x1 - 7, kMiddle + 4}};
    page.polygon(head, Ink::kMuted, 1);
    const Box box{x1 + 3, kMiddle - 15, likelihood_width(), 30};
    page.rect(box, Ink::kMuted, 0.16, 5);
    page.text({box.center().x, kMiddle + 4.5}, model_.likelihood, {.align = Align::kCenter});
    page.text({box.center().x, kPartLine - 9}, "likelihood",
              {.size = 12.5, .ink = Ink::kMuted, .align = Align::kCenter, .bold = true});
  }

  void penalties(Surface& page) const {
    std::string text;
    for (const auto& [at, what] : model_.penalties)
      text += cat(text.empty() ? "" : ",  ", what, at.empty() ? "" : " at ", at);
    if (text.empty()) return;
    const double y = height_ - kMargin - 2;
    page.text({kMargin + 22, y}, "penalties", {.size = 12.5, .ink = series_ink(1), .bold = true});
    page.text({kMargin + 22 + text_width("penalties", 12.5) + 24, y}, text, {.size = 12});
  }

  ModelFigure model_;
  double widest_ = 1, slot_ = 78, width_ = 0, height_ = 0;
  size_t lines_ = 1;
};

}  // namespace

Image draw_model_image(const ModelFigure& model) {
  const Diagram diagram(model);
  RasterSurface page(diagram.width(), diagram.height());
  diagram.draw(page);
  return page.image();
}

std::string draw_model_svg(const ModelFigure& model) {
  const Diagram diagram(model);
  SvgSurface page(diagram.width(), diagram.height());
  diagram.draw(page);
  return page.str("The model's layers");
}

}  // namespace latent
