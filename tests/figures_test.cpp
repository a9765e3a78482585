// Figures: the PNG holds the pixels that were drawn, the same picture gives the same bytes, and
// each figure shows what it was given.
#include "core/figures/figures.h"

#include <gtest/gtest.h>
#include <png.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "core/figures/font.h"
#include "core/figures/raster.h"
#include "core/figures/svg.h"

namespace latent {
namespace {

constexpr Color kWhite{255, 255, 255}, kBlack{0, 0, 0};

struct Decoded {
  int width = 0, height = 0;
  bool grey = false;
  std::vector<uint8_t> rgb;
  Color at(int x, int y) const {
    const uint8_t* p = &rgb[3 * (static_cast<size_t>(y) * width + x)];
    return {p[0], p[1], p[2]};
  }
};

Decoded decode(const std::string& bytes) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  EXPECT_TRUE(png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) << png.message;
  Decoded out{static_cast<int>(png.width),
              static_cast<int>(png.height),
              (png.format & PNG_FORMAT_FLAG_COLOR) == 0,
              {}};
  png.format = PNG_FORMAT_RGB;
  out.rgb.resize(PNG_IMAGE_SIZE(png));
  EXPECT_TRUE(png_image_finish_read(&png, nullptr, out.rgb.data(), 0, nullptr)) << png.message;
  return out;
}

/// Pixels of exactly this colour.
int count(const Image& image, Color c) {
  int n = 0;
  for (int y = 0; y < image.height(); ++y)
    for (int x = 0; x < image.width(); ++x) n += image.at(x, y) == c;
  return n;
}

TEST(Png, GivesThePixelsBack) {
  Image image(5, 3);
  image.set(0, 0, {255, 0, 0});
  image.set(4, 2, {1, 2, 3});
  const Decoded decoded = decode(encode_png(image));
  ASSERT_EQ(decoded.width, 5);
  ASSERT_EQ(decoded.height, 3);
  EXPECT_FALSE(decoded.grey);
  for (int y = 0; y < 3; ++y)
    for (int x = 0; x < 5; ++x) EXPECT_EQ(decoded.at(x, y), image.at(x, y)) << x << ", " << y;
}

TEST(Png, IsGreyWithoutColours) {
  Image image(4, 4, kBlack);
  image.set(1, 2, {77, 77, 77});
  const Decoded decoded = decode(encode_png(image));
  EXPECT_TRUE(decoded.grey);
  EXPECT_EQ(decoded.at(1, 2), (Color{77, 77, 77}));
}

TEST(Png, IsWrittenWhole) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "latent_figures_test.png";
  const Image image(9, 7, {10, 20, 30});
  write_png(path, image);
  std::ifstream in(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  EXPECT_EQ(bytes, encode_png(image));
  std::filesystem::remove(path);
}

TEST(Image, RefusesImpossibleSizes) {
  EXPECT_THROW(Image(0, 4), std::invalid_argument);
  EXPECT_THROW(Image(4, 40000), std::invalid_argument);
}

TEST(Font, HasEveryPrintableCharacter) {
  for (char c = '!'; c <= '~'; ++c) {
    EXPECT_FALSE(glyph(c).strokes.empty()) << c;
    EXPECT_GT(glyph(c).advance, 0.1) << c;
    for (const auto& stroke : glyph(c).strokes)
      for (const Point& p : stroke) {
        EXPECT_GE(p.x, 0) << c;
        EXPECT_LE(p.x, glyph(c).advance) << c;
        EXPECT_GE(p.y, -0.25) << c;
        EXPECT_LE(p.y, 0.8) << c;
      }
  }
  EXPECT_TRUE(glyph(' ').strokes.empty());
  EXPECT_EQ(glyph('\n').strokes.size(), glyph('?').strokes.size());
  for (char c = '1'; c <= '9'; ++c) EXPECT_EQ(glyph(c).advance, glyph('0').advance);  // columns
}

TEST(Raster, FillsExactlyAndBlendsEdges) {
  RasterSurface page(10, 10, 1);
  page.rect({2, 2, 3, 2.5}, Ink::kText, 1, 0);
  EXPECT_EQ(page.image().at(2, 2), color_of(Ink::kText));
  EXPECT_EQ(page.image().at(4, 3), color_of(Ink::kText));
  EXPECT_EQ(page.image().at(5, 2), kWhite);
  const int half = page.image().at(3, 4).r;
  EXPECT_GT(half, color_of(Ink::kText).r + 50);
  EXPECT_LT(half, 205);
}

TEST(Raster, DrawsOutsideOfThePageWithoutHarm) {
  RasterSurface page(8, 8, 2);
  page.line({-100, -100}, {100, 100}, {.width = 3});
  page.circle({0, 0}, 40, Ink::kText, 0.5);
  page.text({-20, 4}, "beyond", {});
  page.text({100, 100}, "beyond", {});
  page.picture({6, 6}, Image(9, 9, kBlack), 3);
  EXPECT_EQ(page.image().at(15, 15), kBlack);
}

TEST(Raster, ScalesPicturesWithoutSmoothing) {
  Image small(2, 1, kBlack);
  small.set(1, 0, {200, 100, 50});
  RasterSurface page(10, 5, 2);
  page.picture({1, 1}, small, 3);
  EXPECT_EQ(count(page.image(), kBlack), 36);
  EXPECT_EQ(count(page.image(), (Color{200, 100, 50})), 36);
}

Rows pictures(const std::vector<float>& values) { return {{28, 28, 1}, values}; }

TEST(Reconstructions, StandUnderTheirOriginals) {
  std::vector<float> originals(12 * 784, 0.0f), outputs(12 * 784, 0.5f);
  originals[0] = 1;  // top left pixel of the first picture
  const Image image = draw_reconstructions(pictures(originals), pictures(outputs), 10);
  // 28 pixels enlarged by 2 on a page drawn at 2: ten black pictures but for one pixel of 4 x 4.
  EXPECT_EQ(count(image, kBlack), 10 * 112 * 112 - 16);
  EXPECT_EQ(count(image, (Color{128, 128, 128})), 10 * 112 * 112);
  EXPECT_EQ(encode_png(image),
            encode_png(draw_reconstructions(pictures(originals), pictures(outputs), 10)));
}

TEST(Reconstructions, TakeAtMostTheRowsThereAre) {
  std::vector<float> three(3 * 784, 0.25f);
  EXPECT_LT(draw_reconstructions(pictures(three), pictures(three), 10).width(), 800);
  EXPECT_THROW(draw_reconstructions(pictures({}), pictures({})), std::invalid_argument);
  EXPECT_THROW(draw_reconstructions(pictures(three), {{784}, three}), std::invalid_argument);
}

TEST(Reconstructions, ShowColours) {
  std::vector<float> rgb(2 * 4 * 4 * 3, 0.0f);
  rgb[0] = 1;
  const Image image = draw_reconstructions({{4, 4, 3}, rgb}, {{4, 4, 3}, rgb}, 2);
  EXPECT_EQ(count(image, (Color{255, 0, 0})), 2 * 30 * 30);
}

TEST(Reconstructions, OfSeriesAndVectorsAreCurves) {
  std::vector<float> values(5 * 140);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(0.1f * static_cast<float>(i));
  values[3] = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{140, 1}, {70, 2}, {140}, {14, 10}}) {
    const Image image = draw_reconstructions({shape, values}, {shape, values}, 5);
    EXPECT_GT(count(image, color_of(series_ink(1))), 500);
  }
}

TEST(Codes, HaveTheArticlesShape) {
  using Shape = std::pair<int, int>;
  EXPECT_EQ(code_shape(32), Shape(16, 2));
  EXPECT_EQ(code_shape(2), Shape(2, 1));
  EXPECT_EQ(code_shape(30), Shape(15, 2));
  EXPECT_EQ(code_shape(128), Shape(16, 8));
  EXPECT_EQ(code_shape(784), Shape(28, 28));
  for (int64_t units = 1; units < 1000; ++units) {
    const auto [height, width] = code_shape(units);
    EXPECT_GE(height * width, units);
    EXPECT_LT((height - 1) * width, units);
  }
}

TEST(Codes, MarkDeadUnits) {
  std::vector<float> codes(3 * 32, 1.0f), originals(3 * 784, 0.5f);
  codes[5] = 0;
  CodesFigure figure{pictures(originals), codes, 32, {}, {}};
  EXPECT_EQ(count(draw_codes(figure), color_of(Ink::kDead)), 0);
  figure.dead = {5};
  EXPECT_GT(count(draw_codes(figure), color_of(Ink::kDead)), 3 * 9);
  figure.originals.reset();
  EXPECT_GT(draw_codes(figure).height(), 100);
}

TEST(Units, AreBarsAndCrosses) {
  const std::vector<double> mean{1, 0, 2, 3};
  const std::vector<int64_t> dead{1};
  const Image image = draw_units(mean, dead);
  EXPECT_GT(count(image, color_of(Ink::kSeries)), 10000);
  EXPECT_GT(count(image, color_of(Ink::kDead)), 10);
  EXPECT_EQ(count(draw_units(mean, {}), color_of(Ink::kDead)), 0);
  draw_units(std::vector<double>(3, 0.0), {});  // all of one value
  draw_units(std::vector<double>{-1, -2}, {});
}

TEST(Filters, AreCentredOnGrey) {
  const std::vector<float> weights(4 * 784, 0.0f);
  EXPECT_EQ(count(draw_filters(pictures(weights)), (Color{128, 128, 128})), 4 * 28 * 28 * 12 * 12);
}

TEST(Latents, AreColouredByLabel) {
  std::vector<float> points{0, 0, 1, 1, 2, 0};
  const std::vector<int> labels{0, 1, 2};
  const Image image = draw_latents({.points = points, .labels = labels, .names = {"a", "b", "c"}});
  EXPECT_EQ(image.width(), 1200);
  EXPECT_GT(count(draw_latents({.points = points, .labels = {}, .names = {}}), kWhite), 100000);
  const std::vector<int> two{0, 1};
  EXPECT_THROW(draw_latents({.points = points, .labels = two, .names = {}}), std::invalid_argument);
}

std::vector<std::string> labels_of(const AxisScale& scale) {
  std::vector<std::string> out;
  for (const auto& tick : scale.ticks()) out.push_back(tick.label);
  return out;
}

TEST(AxisScale, TicksAreRoundNumbers) {
  using Labels = std::vector<std::string>;
  EXPECT_EQ(labels_of(AxisScale({}, 0, 1, 5)), (Labels{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
  EXPECT_EQ(labels_of(AxisScale({}, 0.08, 0.24, 4)), (Labels{"0.10", "0.15", "0.20"}));
  EXPECT_EQ(labels_of(AxisScale({}, -3000, 4000, 4)), (Labels{"-2,000", "0", "2,000", "4,000"}));
  EXPECT_EQ(labels_of(AxisScale({.integer = true}, 1, 3, 9)), (Labels{"1", "2", "3"}));
  EXPECT_EQ(labels_of(AxisScale({.log = true}, 0.01, 10, 5)), (Labels{"0.01", "0.1", "1", "10"}));
  EXPECT_EQ(labels_of(AxisScale({.log = true}, 0.09, 0.21, 3)), (Labels{"0.10", "0.15", "0.20"}));
}

TEST(AxisScale, OfOneValueIsStillAScale) {
  for (double v : {0.0, 5.0, -3.0}) {
    const AxisScale scale({}, v, v, 5);
    EXPECT_NEAR(scale.at(v), 0.5, 1e-12);
    EXPECT_GE(scale.ticks().size(), 2u);
  }
}

Chart loss_chart(bool log) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Curve curves[] = {{"train", {1, 2, 3, 4}, {0.5, nan, 0.2, 0.15}},
                          {"a & b", {1, 2, 3, 4}, {0.6, 0.4, 0.3, 0.0}}};
  return curves_chart(curves, "epoch", "loss", log);
}

TEST(Curves, SurviveGapsAndLogs) {
  for (bool log : {false, true}) {
    const Image image = draw_chart_image(loss_chart(log), 640, 380);
    EXPECT_EQ(image.width(), 1280);
    EXPECT_EQ(image.height(), 760);
    EXPECT_GT(count(image, color_of(series_ink(1))), 1000);
  }
  draw_chart_image({});  // nothing to draw is an empty frame
  EXPECT_THROW(curves_chart(std::vector<Curve>{{"x", {1, 2}, {1}}}, "", ""), std::invalid_argument);
}

TEST(Curves, AreSvgToo) {
  const std::string svg = draw_chart_svg(loss_chart(false));
  EXPECT_EQ(svg.find("<svg"), 0u);
  for (const char* text : {">train<", "a &amp; b", ">epoch<", ">loss<", "</svg>", "var(--ink-s0)"})
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  for (const char* text : {"nan", "inf", "a & b"})
    EXPECT_EQ(svg.find(text), std::string::npos) << text;
}

TEST(ModelDiagram, NamesEveryPart) {
  const ModelFigure model{{{"input", "x", "", {28, 28, 1}, 0},
                           {"encoder", "encoder.0", "dense, relu", {128}, 100480},
                           {"bottleneck", "code", "dense, relu", {32}, 4128},
                           {"decoder", "output", "dense", {28, 28, 1}, 25872}},
                          "bernoulli",
                          {{"code", "l1 0.0001"}}};
  const std::string svg = draw_model_svg(model);
  for (const char* text : {"encoder", "bottleneck", "decoder", "likelihood", "bernoulli",
                           "penalties", "l1 0.0001 at code", "100,480", "28 x 28 x 1", ">relu<"})
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  EXPECT_GT(draw_model_image(model).width(), 600);
  EXPECT_THROW(draw_model_image({}), std::invalid_argument);
}

}  // namespace
}  // namespace latent
