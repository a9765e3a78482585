#include "experiments/figures.h"

#include <algorithm>
#include <cmath>

#include "core/config/resolve.h"
#include "core/data/pca.h"
#include "experiments/evaluation.h"
#include "models/penalty.h"

namespace latent {
namespace {

using namespace schema;

const RegisterChoice model_choice{Family::figure, {"model", "the layers as a diagram", {}, {}, ""}};
const RegisterChoice curves_choice{
    Family::figure, {"curves", "training and validation loss against epochs", {}, {}, ""}};
const RegisterChoice reconstructions_choice{
    Family::figure,
    {"reconstructions",
     "originals over reconstructions",
     {option("count", integer("[1, 100]"), "10", "examples shown")},
     {},
     ""}};
const RegisterChoice denoised_choice{
    Family::figure,
    {"denoised",
     "what the encoder is given, what the model makes of it, and what it should have been",
     {option("count", integer("[1, 100]"), "10", "examples shown")},
     {},
     ""}};
const RegisterChoice codes_choice{
    Family::figure,
    {"codes",
     "codes as small images",
     {option("shape", words({"auto"}) | tuple_of({integer("[1, inf)"), integer("[1, inf)")}),
             "auto", "height and width; auto: 16 high, 32 units are 16 x 2")},
     {},
     ""}};
const RegisterChoice units_choice{
    Family::figure,
    {"units", "mean activation of each unit of the code; dead ones marked", {}, {}, ""}};
const RegisterChoice filters_choice{
    Family::figure,
    {"filters", "weights of the first dense or convolutional layer as images", {}, {}, ""}};
const RegisterChoice latents_choice{
    Family::figure,
    {"latents", "a code of two units as a scatter plot, coloured by label", {}, {}, ""}};
const RegisterChoice spectrum_choice{
    Family::figure,
    {"spectrum", "variances of the principal components of the train rows", {}, {}, ""}};

Rows as_rows(const HostTensor& t) {
  return {{t.type.shape.begin() + 1, t.type.shape.end()}, t.as<float>()};
}

/// A code that is a map as one picture: its channels as small maps side by side, so many a line.
struct ChannelTiles {
  int64_t height, width, channels, across = 1;

  explicit ChannelTiles(const Shape& code) : height(code[0]), width(code[1]), channels(code[2]) {
    for (int64_t n = 1; 2 * n * n <= channels; ++n)
      if (channels % n == 0) across = n;
  }
  std::pair<int, int> shape() const {
    return {static_cast<int>(channels / across * height), static_cast<int>(across * width)};
  }
  /// Where unit (y, x, channel) lies in the picture.
  int64_t place(int64_t unit) const {
    const int64_t c = unit % channels, x = unit / channels % width, y = unit / channels / width;
    return (c / across * height + y) * across * width + c % across * width + x;
  }
};

class Drawer {
 public:
  Drawer(const Experiment& e, Runner& runner, const std::vector<MetricsLine>& lines,
         const std::filesystem::path& folder)
      : e_(e), runner_(runner), lines_(lines), folder_(folder / "figures") {
    std::filesystem::create_directories(folder_);
    codes_ = runner.run(View::encoder, runner.scaled(rows()));
    units_ = codes_.type.elements() / codes_.type.shape[0];
    find_dead();
  }

  RunFigures draw() {
    result_.model = model_figure(*e_.model);
    const Value& figures = e_.config.at("figures");
    if (figures.is("auto")) {
      draw_automatic();
    } else {
      for (const Value& figure : figures.list()) draw_one(as_choice(figure));
    }
    return std::move(result_);
  }

 private:
  void draw_automatic() {
    for (const char* name : {"model", "curves", "reconstructions", "codes", "units"})
      draw_default(name);
    if (is_denoised()) draw_default("denoised");
    if (is_picture() && !first_weight().empty()) draw_default("filters");
    if (units_ == 2) draw_default("latents");
    if (has_pca()) draw_default("spectrum");
  }

  void draw_default(const char* name) {
    const Value choice = resolve_value(Value(name), choice_of(Family::figure), "figures");
    draw_one(as_choice(choice));
  }

  void draw_one(const Choice& c) {
    if (c.name == "model") {
      add("model", "Model", "", draw_model_image(result_.model), false);
    } else if (c.name == "curves") {
      draw_curves();
    } else if (c.name == "reconstructions") {
      draw_reconstructed(c.option("count").as_int());
    } else if (c.name == "denoised") {
      draw_denoised(c.option("count").as_int());
    } else if (c.name == "codes") {
      draw_code_images(c.option("shape"));
    } else if (c.name == "units") {
      draw_unit_means();
    } else if (c.name == "filters") {
      draw_first_weights();
    } else if (c.name == "latents") {
      draw_scatter();
    } else if (c.name == "spectrum") {
      draw_components();
    } else {
      throw std::logic_error(cat("figure ", c.name, ": is registered but not drawn"));
    }
  }

  /// Writes the PNG; charts and the diagram stand in the report as SVG instead.
  void add(const std::string& name, const std::string& title, const std::string& caption,
           Image image, bool in_report = true) {
    write_png(folder_ / (name + ".png"), image);
    if (in_report) result_.images.push_back({title, caption, std::move(image)});
  }

  void draw_curves() {
    Curve train{"train", {}, {}}, validation{"validation", {}, {}};
    const auto push = [](Curve& curve, double epoch, const Metrics& metrics) {
      const auto loss = std::ranges::find(metrics, "loss", &Metrics::value_type::first);
      if (loss == metrics.end()) return;
      curve.x.push_back(epoch);
      curve.y.push_back(loss->second);
    };
    for (const MetricsLine& line : lines_) {
      push(train, line.epoch, line.train);
      push(validation, line.epoch, line.validation);
    }
    std::vector<Curve> curves{train};
    if (!validation.x.empty()) curves.push_back(validation);
    Chart chart = curves_chart(curves, "epoch", "loss");
    add("curves", "Loss", "", draw_chart_image(chart), false);
    result_.curves.push_back(std::move(chart));
  }

  void draw_reconstructed(int64_t count) {
    const HostTensor originals = targets(count), rows = head(count);
    const HostTensor reconstructed = runner_.run(View::autoencoder, rows);
    add("reconstructions", "Reconstructions",
        cat(e_.data.targets ? "Targets of test rows" : "Test rows",
            " over what the model makes of them."),
        draw_reconstructions(as_rows(originals), as_rows(reconstructed), static_cast<int>(count)));
  }

  /// Noisy over denoised over clean.
  void draw_denoised(int64_t count) {
    if (!is_denoised())
      throw UserError(
          "figures: denoised: the model has no corruption, and the data no targets of the rows' "
          "shape");
    const HostTensor clean = targets(count),
                     noisy = corrupted(e_, e_.config.at("model").at("corruption"), head(count),
                                       runner_.views().device());
    const HostTensor denoised = runner_.run(View::autoencoder, noisy);
    const ExampleSet sets[] = {
        {"noisy", as_rows(noisy)}, {"denoised", as_rows(denoised)}, {"clean", as_rows(clean)}};
    add("denoised", "Denoised",
        "Test rows as the encoder is given them, what the model makes of them, and what it should.",
        draw_examples(sets, static_cast<int>(count)));
  }

  /// Where the examples are from.
  const char* split() const { return e_.data.test.count() > 0 ? "test" : "train"; }
  const StoredRows& rows() const { return split_of(e_.data, split()); }
  /// The first rows, scaled.
  HostTensor head(int64_t count) const {
    return written(runner_.scaled(rows()), e_.data.shape, count);
  }
  /// What the output should match, scaled; of the first rows.
  HostTensor targets(int64_t count) const {
    if (!e_.data.targets) return head(count);
    const Targets& t = *e_.data.targets;
    return written({targets_of(e_.data, split()), t.shift, t.scale, true}, t.shape, count);
  }
  static HostTensor written(const RowReader& rows, const Shape& row, int64_t count) {
    Shape shape{std::min(count, rows.count())};
    shape.insert(shape.end(), row.begin(), row.end());
    HostTensor out(Type{DType::f32, shape});
    rows.read(0, shape[0], out.as<float>());
    return out;
  }

  void draw_code_images(const Value& shape) {
    const HostTensor originals = head(10);
    CodesFigure figure;
    if (is_picture()) figure.originals = as_rows(originals);
    figure.codes = codes_.as<float>().subspan(0, originals.type.shape[0] * units_);
    figure.units = units_;
    figure.dead = dead_;
    std::vector<float> tiled(figure.codes.size());
    std::string caption = "The code of each test row as a small image, on one scale.";
    if (const Shape& code = e_.model->code_shape(); code.size() == 3 && shape.is("auto")) {
      const ChannelTiles tiles(code);
      for (size_t i = 0; i < tiled.size(); ++i)
        tiled[i / units_ * units_ + tiles.place(i % units_)] = figure.codes[i];
      for (int64_t& unit : figure.dead) unit = tiles.place(unit);
      std::ranges::sort(figure.dead);
      figure.codes = tiled;
      figure.shape = tiles.shape();
      caption = cat("The code of each test row, its ", code[2], " channels of ", code[0], " x ",
                    code[1], " side by side, on one scale.");
    }
    if (!shape.is("auto"))
      figure.shape = {static_cast<int>(shape.list()[0].as_int()),
                      static_cast<int>(shape.list()[1].as_int())};
    if (figure.shape && int64_t{figure.shape->first} * figure.shape->second < units_)
      throw error_at(shape.mark(), "figures.codes.shape",
                     cat("holds fewer than the code's ", units_, " units"));
    add("codes", "Codes", caption, draw_codes(figure));
  }

  void draw_unit_means() {
    const int64_t n = codes_.type.shape[0];
    std::vector<double> mean(units_);
    const auto values = codes_.as<float>();
    for (int64_t i = 0; i < n * units_; ++i) mean[i % units_] += values[i] / static_cast<double>(n);
    add("units", "Units of the code",
        "Mean activation over the test rows; units that never fire are marked.",
        draw_units(mean, dead_));
  }

  void draw_first_weights() {
    const std::string name = first_weight();
    if (name.empty() || !is_picture())
      throw UserError(
          "figures: filters: the first layer is not a dense or convolutional layer on pictures");
    HostTensor weight = runner_.parameter(name);
    if (weight.type.rank() == 2) {
      const int64_t units = weight.type.shape[0];
      weight.type.shape = e_.data.shape;
      weight.type.shape.insert(weight.type.shape.begin(), units);
    }
    add("filters", "Filters", cat("Rows of ", name, ", each on its own scale."),
        draw_filters(as_rows(weight)));
  }

  void draw_scatter() {
    if (units_ != 2)
      throw UserError(cat("figures: latents: the code has ", units_, " units, not 2"));
    LatentsFigure figure;
    figure.points = codes_.as<float>();
    const auto& labels = e_.data.test.count() > 0 ? e_.data.test_labels : e_.data.train_labels;
    const std::vector<int> plain(labels.begin(), labels.end());
    figure.labels = plain;
    figure.names = e_.data.label_names;
    add("latents", "Latents", "Codes of the test rows.", draw_latents(figure));
  }

  void draw_components() {
    std::vector<double> variances = pca_spectrum(e_.data);
    const double rounding = variances.front() * 1e-12;
    std::erase_if(variances, [&](double v) { return v <= rounding; });
    Chart chart = spectrum_chart(variances, "variance");
    chart.title = "Principal components of the train rows";
    add("spectrum", "Spectrum", "", draw_chart_image(chart), false);
    result_.curves.push_back(std::move(chart));
  }

  void find_dead() {
    std::vector<float> peak(units_);
    const auto values = codes_.as<float>();
    for (size_t i = 0; i < values.size(); ++i)
      peak[i % units_] = std::max(peak[i % units_], std::abs(values[i]));
    for (int64_t u = 0; u < units_; ++u)
      if (peak[u] == 0) dead_.push_back(u);
  }

  bool is_denoised() const {
    if (e_.data.targets) return target_shape(e_.data) == e_.data.shape;
    return has_corruption(e_.config.at("model").at("corruption"));
  }
  bool is_picture() const { return e_.data.shape.size() == 3; }
  bool has_pca() const {
    return std::ranges::any_of(e_.config.at("evaluate").list(),
                               [](const Value& v) { return as_choice(v).name == "pca"; });
  }
  /// The weight that reads the input, "" where that is neither a dense one nor a convolution's.
  std::string first_weight() const {
    for (const Parameter& p : e_.model->parameters()) {
      if (p.type.rank() == 2 && p.type.shape[1] == elements(e_.data.shape)) return p.name;
      if (p.type.rank() == 4) return is_picture() && is_kernel(p.type.shape) ? p.name : "";
    }
    return "";
  }
  /// Kernels of one or three channels can be seen, others not.
  bool is_kernel(const Shape& weight) const {
    return weight[3] == e_.data.shape[2] && (weight[3] == 1 || weight[3] == 3);
  }

  const Experiment& e_;
  Runner& runner_;
  const std::vector<MetricsLine>& lines_;
  std::filesystem::path folder_;
  HostTensor codes_;  ///< of the test rows (train rows where there are none)
  int64_t units_ = 0;
  std::vector<int64_t> dead_;
  RunFigures result_;
};

}  // namespace

ModelFigure model_figure(const Model& model) {
  ModelFigure figure;
  figure.layers = model.table();
  figure.likelihood = as_choice(model.config().at("likelihood")).name;
  for (const Value& value : model.config().at("penalties").list()) {
    const Choice penalty = as_choice(value);
    const Value* at = penalty.options.find("at");
    figure.penalties.emplace_back(
        at ? at->as_string() : "",
        cat(penalty_label(penalty), " ", penalty.option("weight").as_real()));
  }
  return figure;
}

RunFigures draw_figures(const Experiment& experiment, Runner& runner,
                        const std::vector<MetricsLine>& lines,
                        const std::filesystem::path& folder) {
  return Drawer(experiment, runner, lines, folder).draw();
}

}  // namespace latent
