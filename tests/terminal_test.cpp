// What a run prints: tables, progress under a clock of the test's own.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "core/terminal/progress.h"
#include "core/terminal/run_text.h"
#include "core/terminal/text_table.h"

namespace latent {
namespace {

TEST(TextTable, AlignsColumns) {
  TextTable table("lr");
  table.row({"layer", "parameters"});
  table.rule();
  table.row({"code", "25,120"});
  EXPECT_EQ(table.str(),
            "layer  parameters\n"
            "-----------------\n"
            "code       25,120\n");
}

TEST(TextTable, CutsTheLongestTextToTheWidth) {
  TextTable table("lr");
  table.row({std::string(200, 'x'), "1"});
  const std::string text = table.str(40);
  EXPECT_EQ(text.size(), 41u);
  EXPECT_NE(text.find("x...  1"), std::string::npos);
}

RunHeader simple() {
  RunHeader h;
  h.name = "simple", h.seed = "0", h.device = "cpu, 2 threads", h.precision = "fp32";
  h.data = "mnist", h.objective = "bce";
  h.layers = {{"input", "x", "", {28, 28, 1}, 0},
              {"bottleneck", "code", "dense, relu", {32}, 25120},
              {"decoder", "output", "dense", {28, 28, 1}, 25872}};
  h.rows = {{"train", 55000}, {"validation", 5000}, {"test", 10000}};
  h.batch_size = 256, h.steps = 10743, h.epochs = 50;
  return h;
}

TEST(RunHeader, IsATableOfLayersAndFacts) {
  EXPECT_EQ(run_header(simple()),
            "simple\n\n"
            "part        layer   kind         output shape  parameters\n"
            "---------------------------------------------------------\n"
            "input       x                     28 x 28 x 1           -\n"
            "bottleneck  code    dense, relu            32      25,120\n"
            "decoder     output  dense         28 x 28 x 1      25,872\n"
            "---------------------------------------------------------\n"
            "total                                              50,992\n\n"
            "objective   bce\n"
            "data        mnist\n"
            "rows        train 55,000, validation 5,000, test 10,000\n"
            "training    50 epochs, 10,743 steps of 256 rows\n"
            "device      cpu, 2 threads, fp32\n"
            "seed        0\n");
}

TEST(RunHeader, SaysHowManyParametersTrain) {
  RunHeader h = simple();
  h.trainable = 25872;
  EXPECT_NE(run_header(h).find("\ntrainable "), std::string::npos);
}

TEST(RunFooter, HasTrivialRowsAndTheReport) {
  const std::vector<SplitMetrics> metrics{
      {"test", {{"bce", 0.092149}, {"floor.bce", 0.0632}, {"mse", 0.0094}, {"pca.mse", 0.0167}}}};
  EXPECT_EQ(run_footer({"simple", metrics, 83.4, "runs/simple/seed-0/report.html"}),
            "simple: done in 1 min 23 s\n\n"
            "metric     test   floor     pca\n"
            "-------------------------------\n"
            "bce     0.09215  0.0632       -\n"
            "mse      0.0094       -  0.0167\n\n"
            "report      runs/simple/seed-0/report.html\n");
  EXPECT_TRUE(run_footer({"simple", metrics, 0, ""}).starts_with("simple\n\nmetric"));
}

struct Clock {
  double seconds = 100;
  Progress::Clock function() {
    return [this] { return seconds; };
  }
};
constexpr ProgressGoal kGoal{.first_step = 0, .steps = 1000, .epochs = 10, .batch_size = 100};

TEST(Progress, RedrawsOneLineOnATerminal) {
  Clock clock;
  std::ostringstream out;
  Progress progress(out, true, kGoal, clock.function());
  clock.seconds += 1;
  progress.update(250, 0.5);
  EXPECT_EQ(
      out.str(),
      "\repoch 2/10 [=====>              ]  25 %  loss 0.5000  25,000 ex/s  3.0 s left\033[K");
  out.str("");
  clock.seconds += 0.05;  // too soon to draw again
  progress.update(260, 0.4);
  EXPECT_EQ(out.str(), "");
  clock.seconds += 2.95;
  progress.validated(1000, 0.25, 0.3);
  progress.finish();
  EXPECT_NE(
      out.str().find("epoch 10/10 [====================] 100 %  loss 0.2500  validation 0.3000"),
      std::string::npos)
      << out.str();
  EXPECT_EQ(out.str().find("left"), std::string::npos);
  EXPECT_EQ(out.str().back(), '\n');
}

TEST(Progress, GivesWayToOtherLines) {
  Clock clock;
  std::ostringstream out;
  Progress progress(out, true, kGoal, clock.function());
  progress.clear();
  EXPECT_EQ(out.str(), "");
  clock.seconds += 1;
  progress.update(1, 1);
  out.str("");
  progress.clear();
  EXPECT_EQ(out.str(), "\r\033[K");
}

TEST(Progress, PrintsPlainLinesElsewhere) {
  Clock clock;
  std::ostringstream out;
  Progress progress(out, false, kGoal, clock.function());
  for (int step = 1; step <= 95; ++step) {
    clock.seconds += 0.1;
    progress.update(step, 0.5);
  }
  EXPECT_EQ(out.str(), "");  // within the first ten seconds
  progress.validated(100, 0.5, 0.6);
  EXPECT_EQ(out.str().find('\r'), std::string::npos);
  EXPECT_NE(out.str().find("epoch 1/10  10 %  loss 0.5000  validation 0.6000"), std::string::npos)
      << out.str();
  progress.finish();
  progress.finish();
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);  // nothing new since the validation
}

TEST(Progress, WithoutValidationRowsShowsNoValidation) {
  Clock clock;
  std::ostringstream out;
  Progress progress(out, false, kGoal, clock.function());
  clock.seconds += 20;
  progress.validated(100, 0.5, std::nullopt);
  EXPECT_NE(out.str().find("loss 0.5000"), std::string::npos) << out.str();
  EXPECT_EQ(out.str().find("validation"), std::string::npos) << out.str();
}

TEST(Progress, MeasuresSpeedFromWhereItBegan) {
  Clock clock;
  std::ostringstream out;
  ProgressGoal goal = kGoal;
  goal.first_step = 900;
  Progress progress(out, true, goal, clock.function());
  clock.seconds += 10;
  progress.update(950, 0.5);
  EXPECT_NE(out.str().find("  500 ex/s  10 s left"), std::string::npos) << out.str();
}

}  // namespace
}  // namespace latent
