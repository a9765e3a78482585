// The figures of a run, from plain numbers to pictures. Nothing here knows graphs or devices.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/figures/chart.h"
#include "core/figures/image.h"
#include "core/report/layer_row.h"

namespace latent {

/// Rows of data, one after the other. The shape of one row says what it is: [height, width,
/// channels] a picture, [time, channels] a series, [n] a vector. A picture with 3 channels is RGB;
/// otherwise the mean of its channels is shown in grey.
struct Rows {
  std::vector<int64_t> shape;
  std::span<const float> values;
  int64_t size() const;   ///< values of one row
  int64_t count() const;  ///< rows
};

struct ExampleSet {
  std::string label;
  Rows rows;
};

/// The same examples in several states under each other (originals over reconstructions; originals,
/// corrupted, denoised), ten pictures a line; series and vectors as curves, one panel an example.
/// All are drawn on the first set's scale. Throws std::invalid_argument when shapes or counts
/// differ.
Image draw_examples(std::span<const ExampleSet> sets, int count = 10);

/// Two states: "original" over "reconstruction".
Image draw_reconstructions(const Rows& originals, const Rows& reconstructions, int count = 10);

struct CodesFigure {
  std::optional<Rows> originals;  ///< pictures to stand above their codes
  std::span<const float> codes;   ///< [rows, units]
  int64_t units = 0;
  std::vector<int64_t> dead;                 ///< units that never fire: marked, and listed below
  std::optional<std::pair<int, int>> shape;  ///< height, width; default code_shape(units)
};
/// Codes as small grey images on one common scale.
Image draw_codes(const CodesFigure& figure, int count = 10);

/// Height and width of a code shown as an image: at most 16 high until it is square; 32 -> 16 x 2.
std::pair<int, int> code_shape(int64_t units);

/// Mean activation of each code unit as a bar; dead ones are marked. [units]
Image draw_units(std::span<const double> mean, std::span<const int64_t> dead);

/// The first layer's weights [units, shape of a picture], each scaled to its largest magnitude with
/// 0 in the middle grey (RGB weights in colour); at most `count` of them.
Image draw_filters(const Rows& weights, int count = 128);

struct LatentsFigure {
  std::span<const float> points;   ///< [rows, 2]
  std::span<const int> labels;     ///< [rows], in [0, names); or empty: one colour
  std::vector<std::string> names;  ///< of the labels, drawn where their points lie
  std::string x_label = "latent 0", y_label = "latent 1";
};
Image draw_latents(const LatentsFigure& figure);

/// A falling spectrum (singular values, variances of principal components) on a log axis.
Chart spectrum_chart(std::span<const double> values, const std::string& label);

/// Values against epochs or steps; x and y are equally many.
struct Curve {
  std::string name;
  std::vector<double> x, y;
};
/// One series a curve. Where a value is not finite, or not positive on a log axis, is a gap.
Chart curves_chart(std::span<const Curve> curves, const std::string& x_label,
                   const std::string& y_label, bool log = false);

Image draw_chart_image(const Chart& chart, int width = 640, int height = 380);
std::string draw_chart_svg(const Chart& chart, int width = 640, int height = 380);

struct ModelFigure {
  std::vector<LayerRow> layers;                                ///< in order; the first is the input
  std::string likelihood;                                      ///< "bernoulli"
  std::vector<std::pair<std::string, std::string>> penalties;  ///< layer's name, text ("l1 1e-04")
};
/// The six parts as a diagram: bars as high as a layer's output is wide (in log), narrowing to the
/// code.
Image draw_model_image(const ModelFigure& model);
std::string draw_model_svg(const ModelFigure& model);

}  // namespace latent
