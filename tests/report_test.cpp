// Numbers as text, the registry of metrics, the files of a run folder, the report.
#include "core/report/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include "core/base/error.h"
#include "core/report/html.h"
#include "core/report/number.h"

namespace latent {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Number, HasSignificantDigitsAndNoNoise) {
  EXPECT_EQ(format_number(0.09214999), "0.09215");
  EXPECT_EQ(format_number(0.5), "0.5");
  EXPECT_EQ(format_number(13.8699), "13.87");
  EXPECT_EQ(format_number(9.99996), "10");
  EXPECT_EQ(format_number(0.0), "0");
  EXPECT_EQ(format_number(-2.5), "-2.5");
  EXPECT_EQ(format_number(1e-5), "1e-05");
  EXPECT_EQ(format_number(0.00009999999), "0.0001");
  EXPECT_EQ(format_number(1234567.4), "1,234,567");
  EXPECT_EQ(format_number(100), "100");
  EXPECT_EQ(format_number(1e20), "1e+20");
  EXPECT_EQ(format_number(kNan), "nan");
  EXPECT_EQ(format_number(-INFINITY), "-inf");
  EXPECT_EQ(format_digits(0.1), "0.1000");
}

TEST(Number, CountsDurationsAndBytes) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(-1000), "-1,000");
  EXPECT_EQ(format_count(222384), "222,384");
  EXPECT_EQ(format_duration(4.23), "4.2 s");
  EXPECT_EQ(format_duration(59.4), "59 s");
  EXPECT_EQ(format_duration(59.6), "1 min 00 s");
  EXPECT_EQ(format_duration(7440), "2 h 04 min");
  EXPECT_EQ(format_duration(kNan), "-");
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(47.12e6), "47.1 MB");
}

TEST(MetricsRegistry, NamesAreUniqueAndDefined) {
  std::set<std::string_view> names;
  for (const Metric& m : known_metrics()) {
    EXPECT_TRUE(names.insert(m.name).second) << m.name;
    EXPECT_TRUE(m.definition.ends_with('.')) << m.name;
  }
}

TEST(MetricsRegistry, FindsAddresses) {
  EXPECT_EQ(find_metric("test.pca.mse")->name, "mse");
  EXPECT_EQ(find_metric("bce")->better, Better::kLower);
  EXPECT_EQ(find_metric("validation.auroc")->better, Better::kHigher);
  EXPECT_EQ(find_metric("test.popular.ndcg@100")->name, "ndcg@K");
  EXPECT_EQ(find_metric("test.l7"), nullptr);
  const MetricAddress a = parse_metric("test.floor.bce");
  EXPECT_EQ(a.split + "/" + a.row + "/" + a.metric, "test/floor/bce");
  EXPECT_EQ(parse_metric("l1.weight").metric, "l1.weight");
}

TEST(MetricsRegistry, TextIsAtMost100Wide) {
  std::istringstream in(describe_metrics());
  for (std::string line; std::getline(in, line);) EXPECT_LE(line.size(), 100u) << line;
  EXPECT_NE(describe_metrics().find("explained_variance  share"), std::string::npos);
}

std::vector<SplitMetrics> some_metrics() {
  return {{"validation", {{"loss", 0.1}, {"bce", 0.1}}},
          {"test",
           {{"loss", 0.0921},
            {"bce", 0.0921},
            {"floor.bce", 0.0632},
            {"mse", 0.0094},
            {"pca.mse", 0.0167}}}};
}

TEST(MetricsTable, HasTrivialRowsBesideTheirSplit) {
  const MetricsTable table = metrics_table(some_metrics());
  EXPECT_EQ(table.columns, (std::vector<std::string>{"validation", "test", "floor", "pca"}));
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_EQ(table.rows[1].metric, "bce");
  EXPECT_EQ(table.rows[1].cells[2], 0.0632);
  EXPECT_FALSE(table.rows[2].cells[0].has_value());
  EXPECT_EQ(table.rows[2].cells[3], 0.0167);
}

class RunFiles : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string text(const char* name) const {
    std::ifstream in(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / "latent_report_test";
};

TEST_F(RunFiles, MetricsComeBackToTheBit) {
  const double awkward[] = {
      0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0, 0.30000000000000004};
  MetricsLine line{
      1, 215, {{"loss", 0.25}}, {{"loss", 0.5}, {"pca.mse", 1.0 / 7}, {"l1.weight", 1}}};
  for (double v : awkward) line.train.emplace_back("v" + std::to_string(line.train.size()), v);
  {
    JsonLines file(folder_ / "metrics.jsonl");
    file.append(to_json(line));
    line.epoch = 1.5;
    file.append(to_json(line));
    file.sync();
    EXPECT_EQ(file.size(), static_cast<int64_t>(text("metrics.jsonl").size()));
  }
  const auto lines = read_metrics(folder_ / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1].epoch, 1.5);
  EXPECT_EQ(lines[1].step, 215);
  EXPECT_EQ(lines[1].train, line.train);
  EXPECT_EQ(lines[1].validation, line.validation);
  EXPECT_TRUE(std::signbit(lines[1].train[5].second));
}

TEST_F(RunFiles, ALineLooksLikeThis) {
  EXPECT_EQ(
      to_json(MetricsLine{1, 215, {{"loss", 0.25}}, {{"loss", kNan}, {"pca.mse", 0.5}}}).dump(),
      R"({"epoch":1,"step":215,"train":{"loss":0.25},)"
      R"("validation":{"loss":null,"pca":{"mse":0.5}}})");
}

TEST_F(RunFiles, NotANumberIsNull) {
  const Metrics back = metrics_from_json(to_json(Metrics{{"a", INFINITY}, {"b", kNan}, {"c", 1}}));
  EXPECT_TRUE(std::isnan(back[0].second));
  EXPECT_TRUE(std::isnan(back[1].second));
  EXPECT_EQ(back[2].second, 1);
  EXPECT_THROW(metrics_from_json(Json::parse(R"({"a": "b"})")), std::invalid_argument);
}

TEST_F(RunFiles, LinesAreCutBackToACheckpoint) {
  int64_t kept = 0;
  {
    JsonLines file(folder_ / "metrics.jsonl");
    file.append({{"a", 1}});
    kept = file.size();
    file.append({{"a", 2}});
  }
  {
    JsonLines file(folder_ / "metrics.jsonl", kept);
    file.append({{"a", 3}});
  }
  EXPECT_EQ(text("metrics.jsonl"), "{\"a\":1}\n{\"a\":3}\n");
  EXPECT_THROW(JsonLines(folder_ / "metrics.jsonl", 1000), UserError);
  EXPECT_EQ(text("metrics.jsonl"), "{\"a\":1}\n{\"a\":3}\n");
  EXPECT_THROW(JsonLines(folder_ / "no" / "metrics.jsonl"), UserError);
}

TEST_F(RunFiles, ADamagedLineIsNamed) {
  std::ofstream(folder_ / "metrics.jsonl") << to_json(MetricsLine{}).dump() << "\n{\"epoch\": 2\n";
  try {
    read_metrics(folder_ / "metrics.jsonl");
    FAIL();
  } catch (const UserError& e) {
    EXPECT_NE(std::string(e.what()).find("metrics.jsonl:2"), std::string::npos) << e.what();
  }
}

RunResult some_result() {
  RunResult r;
  r.metrics = some_metrics();
  r.epochs = 50, r.steps = 10743, r.parameters = 50992, r.seconds = 83.4;
  r.examples_per_second = 43211.5;
  r.device = "cpu: 2 threads";
  r.versions = {{"latent", "0.1.0"}, {"oneDNN", "2.6.3"}};
  r.commit = "abc123", r.data_sha256 = "00ff";
  r.rows = {{"train", 55000}, {"validation", 5000}, {"test", 10000}};
  return r;
}

TEST_F(RunFiles, SummaryRoundTrips) {
  const RunResult result = some_result();
  write_summary(folder_ / "summary.json", result);
  EXPECT_EQ(to_json(read_summary(folder_ / "summary.json")), to_json(result));
  const Json json = Json::parse(text("summary.json"));
  EXPECT_EQ(json["metrics"]["test"]["pca"]["mse"], 0.0167);
  EXPECT_EQ(json["data"]["rows"]["test"], 10000);
  std::ofstream(folder_ / "summary.json") << "{}";
  EXPECT_THROW(read_summary(folder_ / "summary.json"), UserError);
}

TEST(Html, Base64) {
  EXPECT_EQ(html::base64(""), "");
  EXPECT_EQ(html::base64("f"), "Zg==");
  EXPECT_EQ(html::base64("fo"), "Zm8=");
  EXPECT_EQ(html::base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(html::base64("\xff\xfe\xfd"), "//79");
}

RunReport some_report() {
  RunReport report;
  report.name = "sparse <l1>";
  report.seed = "3", report.precision = "fp32", report.date = "2031-01-02";
  report.command = "latent run experiments/article/simple.yaml";
  report.config = "name: simple\ndata: {source: mnist}\n# a < b\n";
  report.data = "mnist, 28 x 28 x 1";
  report.model = ModelFigure{{{"input", "x", "", {784}, 0},
                              {"bottleneck", "code", "dense, relu", {32}, 25120},
                              {"decoder", "output", "dense", {784}, 25872}},
                             "bce",
                             {}};
  const Curve curve[] = {{"train", {1, 2}, {0.3, 0.2}}};
  report.curves = {curves_chart(curve, "epoch", "loss")};
  report.figures = {{"Reconstructions", "Ten of the test set.", Image(40, 20)}};
  report.result = some_result();
  return report;
}

TEST(Report, HoldsEverything) {
  const std::string page = render_report(some_report());
  for (const char* text : {"sparse &lt;l1&gt;",
                           "seed 3",
                           "2031-01-02",
                           "latent run experiments",
                           "source: mnist",
                           "a &lt; b",
                           "50,992",
                           "0.0921",
                           "0.0632",
                           "0.0167",
                           "Binary cross-entropy",
                           "nats/element",
                           "floor",
                           "Principal components",
                           "Ten of the test set.",
                           "data:image/png;base64,iVBOR",
                           "25,120",
                           "cpu: 2 threads",
                           "oneDNN 2.6.3",
                           "abc123",
                           "00ff",
                           "train 55,000",
                           "1 min 23 s",
                           "<svg",
                           "prefers-color-scheme:dark",
                           "43,212 examples a second"})
    EXPECT_NE(page.find(text), std::string::npos) << text;
}

TEST(Report, FetchesNothing) {
  const std::string page = render_report(some_report());
  for (const char* text : {"http", "<script", "<link", "@import", "url(", "src=\"/"})
    EXPECT_EQ(page.find(text), std::string::npos) << text;
}

int occurrences(const std::string& text, const std::string& what) {
  int n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

TEST(Report, TagsAreClosed) {
  const std::string page = render_report(some_report());
  for (const std::string tag :
       {"html", "head", "body", "main", "figure", "div",   "table", "tr", "td", "th",
        "svg",  "text", "dl",   "pre",  "h2",     "style", "small", "p",  "b",  "i"})
    EXPECT_EQ(occurrences(page, "<" + tag + ">") + occurrences(page, "<" + tag + " "),
              occurrences(page, "</" + tag + ">"))
        << tag;
}

TEST(Report, IsThereWithoutAnythingToShow) {
  RunReport empty;
  empty.name = "empty";
  EXPECT_NE(render_report(empty).find("</html>"), std::string::npos);
}

}  // namespace
}  // namespace latent
