// `latent run` from outside: runs that are killed, stopped, repeated, refused and swept, and what their folders hold.
#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>

#include "core/io/safetensors.h"
#include "tests/command.h"

namespace latent {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::vector<Json> json_lines(const fs::path& file) {
  std::vector<Json> lines;
  std::istringstream in(bytes_of(file));
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

Json json_of(const fs::path& file) { return Json::parse(bytes_of(file)); }

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The files that are a function of the run alone.
const char* const kResults[] = {"metrics.jsonl", "last.safetensors", "best.safetensors",
                                "config.yaml"};

void expect_same_results(const fs::path& a, const fs::path& b) {
  ASSERT_FALSE(bytes_of(a / "last.safetensors").empty()) << a;
  for (const char* file : kResults)
    EXPECT_TRUE(bytes_of(a / file) == bytes_of(b / file)) << a << " and " << b << ": " << file;
  EXPECT_EQ(json_of(a / "summary.json")["metrics"], json_of(b / "summary.json")["metrics"]);
}

class RunTest : public CommandTest {};

// ---- Killed and stopped ------------------------------------------------------------------------------------------

struct Variant {
  const char* name;
  TinyExperiment experiment;
};

void PrintTo(const Variant& variant, std::ostream* out) { *out << variant.name; }

const Variant kVariants[] = {
    {"adam_cosine",
     {.train = "{epochs: 12, batch_size: 16, optimizer: {adam: {lr: 0.002}}, "
               "schedule: {cosine: {warmup: 1 epochs}}}"}},
    {"nesterov_in_order_drop_tail",
     {.train = "{epochs: 12, batch_size: 25, optimizer: {sgd: {lr: 0.5, momentum: 0.9, "
               "nesterov: true}}, shuffle: false, tail: drop, schedule: {step: {every: 3 epochs, "
               "by: 0.5}}}"}},
    {"adamw_averages_best",
     {.train = "{steps: 160, batch_size: 32, optimizer: {adamw: {lr: 0.003}}, ema: 0.9, "
               "validate: 7, stop: {patience: 50}}",
      .rest = "figures: []\nevaluate: [{reconstruction: {every: 20}}, {pca: {every: 40}}]\n"}},
    {"adagrad_tied_clipped_stops_early",
     {.model =
          "{encoder: [{dense: 16, activation: tanh}], bottleneck: {dense: 8}, decoder: {mirror: "
          "tied}, likelihood: mse, penalties: [{weight_decay: 1.0e-4}]}",
      .train = "{epochs: 60, batch_size: 32, optimizer: {adagrad: 0.3}, clip: 0.5, "
               "stop: {patience: 3}}"}},
    {"adadelta_binarized_no_validation",
     {.data = "{source: strokes, count: 300, binarize: dynamic, validation: none}",
      .train = "{examples: 3000, batch_size: 20, optimizer: adadelta, validate: 11}"}},
    {"corrupted",
     {.model = "{bottleneck: {dense: 8}, likelihood: bce, corruption: [{masking: {rate: 0.3, "
               "schedule: {linear: 5 epochs}}}, {gaussian: {std: 0.2, clip: [0, 1], emphasis: "
               "[2, 1]}}]}",
      .train = "{epochs: 12, batch_size: 16}",
      .rest = "figures: [denoised]\n"}},
    {"batch_norm_dropout_sparse",
     {.model = "{encoder: [{dense: 16, activation: relu}, batch_norm, {dropout: 0.2}], bottleneck: "
               "{topk: 12, k: 4, unit_norm: true, schedule: {linear: {over: 50 %, from: 3}}}, "
               "likelihood: mse}",
      .train = "{epochs: 12, batch_size: 32}"}},
    {"on_a_gpu",
     {.device = "cuda",
      .train = "{epochs: 12, batch_size: 16, stop: {patience: 12}, validate: 5}"}},
};

class InterruptedRun : public RunTest, public ::testing::WithParamInterface<Variant> {
 protected:
  /// Starts or resumes the run in `out`, lets it write a random number of checkpoints, and kills it a little later.
  /// False when it was faster.
  bool kill_at_random(const std::string& out) {
    const fs::path folder = at(out) / "tiny/seed-0";
    std::error_code none;
    const auto checkpoint = [&] { return fs::last_write_time(folder / "state.safetensors", none); };
    auto last = checkpoint();
    Process process(folder_.path(),
                    {"run", "tiny.yaml", "--out", out, "--resume", "--checkpoint-seconds", "0"});
    int left = std::uniform_int_distribution<>(0, 9)(random_);
    process.wait_until([&] {
      const auto now = checkpoint();
      if (now != last) --left;
      last = now;
      return left < 0;
    });
    usleep(std::uniform_int_distribution<useconds_t>(0, 4000)(random_));
    process.signal(SIGKILL);
    const Output output = process.wait();
    EXPECT_TRUE(output.code == -SIGKILL || output.code == 0) << output.err;
    return output.code == -SIGKILL && !fs::exists(folder / "summary.json");
  }

  std::mt19937 random_{std::random_device{}()};
};

INSTANTIATE_TEST_SUITE_P(, InterruptedRun, ::testing::ValuesIn(kVariants),
                         [](const auto& info) { return info.param.name; });

// Five variants, killed three times each: fifteen kills.
TEST_P(InterruptedRun, KilledAndResumedIsTheSameToTheByte) {
  if (GetParam().experiment.device == "cuda" && !has_gpu())
    GTEST_SKIP() << "needs a GPU and a build with CUDA";
  write("tiny.yaml", GetParam().experiment);
  run("tiny.yaml", {"--out", "whole"});
  int kills = 0;
  for (int tries = 0; kills < 3 && tries < 50; ++tries) {
    if (kill_at_random("killed")) {
      ++kills;
    } else {
      expect_same_results(at("whole/tiny/seed-0"), at("killed/tiny/seed-0"));
      fs::remove_all(at("killed"));
    }
  }
  EXPECT_EQ(kills, 3);
  run("tiny.yaml", {"--out", "killed", "--resume"});
  expect_same_results(at("whole/tiny/seed-0"), at("killed/tiny/seed-0"));
  for (const auto& entry : fs::directory_iterator(at("killed/tiny/seed-0")))
    EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
}

TEST_F(RunTest, SignalsSaveAndResumeGoesOn) {
  write("tiny.yaml", {.train = "{steps: 800, batch_size: 32, validate: 10}"});
  run("tiny.yaml", {"--out", "whole"});
  for (const int number : {SIGTERM, SIGINT}) {
    const fs::path folder = at("stopped/tiny/seed-0");
    Process process(folder_.path(), {"run", "tiny.yaml", "--out", "stopped"});
    process.wait_until([&] { return !bytes_of(folder / "metrics.jsonl").empty(); });
    process.signal(number);
    const Output stopped = process.wait();
    EXPECT_EQ(stopped.code, 130) << stopped.err;
    EXPECT_TRUE(contains(stopped.err, "--resume")) << stopped.err;
    EXPECT_FALSE(exists("stopped/tiny/seed-0/summary.json"));
    const SafeTensors state = read_safetensors(folder / "state.safetensors");
    EXPECT_GT(std::stoi(state.metadata.at("run.step")), 0);

    expect_refused(latent({"run", "tiny.yaml", "--out", "stopped"}), {"unfinished", "--resume"});
    run("tiny.yaml", {"--out", "stopped", "--resume"});
    expect_same_results(at("whole/tiny/seed-0"), folder);
    fs::remove_all(at("stopped"));
  }
}

/// Of each thread of a process, whether it has SIGINT and SIGTERM blocked.
std::vector<bool> threads_that_block(pid_t process) {
  std::vector<bool> all;
  std::error_code none;
  for (const auto& thread : fs::directory_iterator(cat("/proc/", process, "/task"), none)) {
    const std::string status = bytes_of(thread.path() / "status");
    const size_t at = status.find("SigBlk:");
    if (at == std::string::npos) continue;
    const uint64_t blocked = std::stoull(status.substr(at + 7), nullptr, 16);
    const uint64_t both = uint64_t{1} << (SIGINT - 1) | uint64_t{1} << (SIGTERM - 1);
    all.push_back((blocked & both) == both);
  }
  return all;
}

// A handler's frame on a stack pointer of generated code would lie in the heap.
TEST_F(RunTest, SignalsReachNoThreadThatComputes) {
  write("tiny.yaml", {.train = "{steps: 1000000, batch_size: 32, validate: 10}"});
  Process process(folder_.path(), {"run", "tiny.yaml"}, {{"OMP_NUM_THREADS", "3"}});
  ASSERT_TRUE(
      process.wait_until([&] { return !bytes_of(at("runs/tiny/seed-0/metrics.jsonl")).empty(); }));
  const std::vector<bool> blocked = threads_that_block(process.id());
  EXPECT_GE(blocked.size(), 2u);
  EXPECT_EQ(std::ranges::count(blocked, false), 1) << "the one that waits for them";
}

// ---- The same bits -----------------------------------------------------------------------------------------------

TEST_F(RunTest, TwiceAndWithAnyNumberOfThreads) {
  const std::pair<const char*, const char*> trainings[] = {
      {"adam", "{epochs: 2, batch_size: 100, optimizer: adam, ema: 0.9, stop: {patience: 5}}"},
      {"adamw", "{epochs: 2, batch_size: 7, optimizer: adamw, clip: 1}"},
      {"sgd", "{epochs: 2, batch_size: 200, optimizer: {sgd: {lr: 0.1, momentum: 0.9}}}"},
      {"rmsprop", "{steps: 9, batch_size: 1, optimizer: rmsprop, tail: drop}"},
  };
  for (const auto& [name, train] : trainings) {
    const std::string file = cat(name, ".yaml"), folder = cat("/", name, "/seed-0");
    write(file,
          {.name = name,
           .model = "{encoder: [{dense: [130, 64], activation: relu}], bottleneck: {dense: 5, "
                    "activation: sigmoid}, likelihood: bernoulli}",
           .train = train,
           .rest = "figures: []\nevaluate: [{reconstruction: {every: 1 epochs}}]\n"});
    run(file, {"--out", "once"}, {{"OMP_NUM_THREADS", "1"}});
    for (const char* threads : {"1", "2", "3"}) {
      const std::string out = cat("threads-", threads);
      run(file, {"--out", out}, {{"OMP_NUM_THREADS", threads}});
      expect_same_results(at("once" + folder), at(out + folder));
    }
  }
}

TEST_F(RunTest, ConfigRunAgainRepeatsTheRun) {
  HostTensor rows(Type{DType::f32, {90, 6}});
  for (size_t i = 0; i < rows.as<float>().size(); ++i)
    rows.as<float>()[i] = static_cast<float>(i * 7919 % 101) / 7;
  write_safetensors(at("rows.safetensors"), {.tensors = {{"a", rows}}, .metadata = {}});
  write("base.yaml", {.data = "{source: safetensors, path: rows.safetensors, train: 60}",
                      .model = "{bottleneck: {dense: 2}, likelihood: mse}"});
  write_text("in/small.yaml",
             "extends: ../base.yaml\nname: small\nmodel: {encoder: [{dense: 4}]}\n"
             "sweep: {train.batch_size: [10, 20]}\n");
  run("in/small.yaml", {"--set", "model.bottleneck.dense=3"});
  for (const char* batch : {"10", "20"}) {
    const fs::path first =
        at(cat("runs/small/model.bottleneck.dense=3,train.batch_size=", batch, "/seed-0"));
    const fs::path alternative =
        at(cat("runs/small/train.batch_size=", batch, ",model.bottleneck.dense=3/seed-0"));
    const fs::path folder = fs::exists(first) ? first : alternative;
    // From anywhere: what it names is found.
    fs::create_directories(at("else"));
    fs::copy_file(folder / "config.yaml", at("else/config.yaml"),
                  fs::copy_options::overwrite_existing);
    run("else/config.yaml", {"--out", cat("again-", batch)});
    expect_same_results(folder, at(cat("again-", batch, "/small/seed-0")));
  }
}

// ---- A run is its configuration ----------------------------------------------------------------------------------

TEST_F(RunTest, AFinishedRunIsPrintedAndNotTrained) {
  write("tiny.yaml", TinyExperiment());
  const Output first = run("tiny.yaml");
  const fs::path folder = at("runs/tiny/seed-0");
  const std::string results = first.out.substr(first.out.find("metric "));
  const auto written = fs::last_write_time(folder / "last.safetensors");
  // The device is not part of what a run is.
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{}, {"--resume"}, {"--device", "auto"}}) {
    const Output again = run("tiny.yaml", more);
    EXPECT_TRUE(contains(again.out, "is finished")) << again.out;
    EXPECT_TRUE(contains(again.out, results)) << again.out;
    EXPECT_EQ(fs::last_write_time(folder / "last.safetensors"), written);
  }
  run("tiny.yaml", {"--overwrite"});
  EXPECT_NE(fs::last_write_time(folder / "last.safetensors"), written);
}

TEST_F(RunTest, AnotherRunInTheFolderIsRefusedByItsKeys) {
  write("tiny.yaml", TinyExperiment());
  run("tiny.yaml");
  const std::string before = bytes_of(at("runs/tiny/seed-0/last.safetensors"));
  write("tiny.yaml",
        {.data = "{source: strokes, count: 310}", .train = "{epochs: 2, batch_size: 32}"});
  expect_refused(latent({"run", "tiny.yaml"}),
                 {"another run", "data.count", "train.epochs", "--overwrite"});
  expect_refused(latent({"run", "tiny.yaml", "--resume"}), {"another run"});
  EXPECT_TRUE(before == bytes_of(at("runs/tiny/seed-0/last.safetensors")));
  run("tiny.yaml", {"--overwrite"});
  EXPECT_EQ(json_lines(at("runs/tiny/seed-0/metrics.jsonl")).size(), 2u);
}

TEST_F(RunTest, OtherDataBehindTheSamePathAreAnotherRun) {
  HostTensor rows(Type{DType::f32, {60, 4}});
  const auto values = rows.as<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 13);
  write("tiny.yaml", {.data = "{source: safetensors, path: rows.safetensors}",
                      .model = "{bottleneck: {dense: 2}, likelihood: mse}",
                      .train = "{epochs: 1, batch_size: 10}"});
  write_safetensors(at("rows.safetensors"), {.tensors = {{"a", rows}}, .metadata = {}});
  run("tiny.yaml");
  values[5] += 1;
  write_safetensors(at("rows.safetensors"), {.tensors = {{"a", rows}}, .metadata = {}});
  expect_refused(latent({"run", "tiny.yaml"}), {"other data", "--overwrite"});
}

TEST_F(RunTest, DryRunWritesNothing) {
  write("tiny.yaml", {.rest = "figures: []\nseed: [3, 4]\n"});
  const Output dry = run("tiny.yaml", {"--dry-run"});
  for (const char* part : {"runs/tiny/seed-3: would run", "runs/tiny/seed-4: would run",
                           "batch_size: 32", "tail: wrap"})
    EXPECT_TRUE(contains(dry.out, part)) << dry.out << part;
  EXPECT_FALSE(exists("runs"));
  run("tiny.yaml", {"--set", "seed=3"});
  EXPECT_TRUE(contains(run("tiny.yaml", {"--dry-run"}).out, "runs/tiny/seed-3: finished"));
}

TEST_F(RunTest, OneProcessAFolder) {
  write("tiny.yaml", {.train = "{steps: 1000000, batch_size: 32, validate: 10}"});
  Process first(folder_.path(), {"run", "tiny.yaml", "--checkpoint-seconds", "0"});
  first.wait_until([&] { return exists("runs/tiny/seed-0/state.safetensors"); });
  for (const char* option : {"--resume", "--overwrite"})
    expect_refused(latent({"run", "tiny.yaml", option}), {"runs/tiny/seed-0", "another process"});
  EXPECT_TRUE(first.running());
}

// ---- Sweeps ------------------------------------------------------------------------------------------------------

TEST_F(RunTest, SweepGoesOnBehindAFailedPoint) {
  write(
      "tiny.yaml",
      {.rest =
           "figures: []\nsweep: {model.bottleneck.dense: [4, 2], train.batch_size: [32, 4000]}\n"});
  const Output output = latent({"run", "tiny.yaml"});
  EXPECT_EQ(output.code, 1) << output.err;
  const size_t list = output.err.find("2 of 4 runs failed");
  ASSERT_NE(list, std::string::npos) << output.err;
  for (const char* units : {"4", "2"}) {
    const std::string good =
        cat("tiny/model.bottleneck.dense=", units, ",train.batch_size=32/seed-0");
    const std::string bad =
        cat("tiny/model.bottleneck.dense=", units, ",train.batch_size=4000/seed-0");
    EXPECT_TRUE(exists("runs/" + good + "/summary.json"));
    EXPECT_FALSE(exists("runs/" + bad));
    EXPECT_NE(output.err.find(bad, list), std::string::npos) << output.err;
  }
  EXPECT_FALSE(contains(output.out, "is finished"));
  EXPECT_TRUE(contains(latent({"run", "tiny.yaml"}).out, "is finished"));
}

TEST_F(RunTest, PointsHaveNamesAndSeedsHaveFolders) {
  write("tiny.yaml", {.rest = "figures: []\nseed: [0, 7]\nsweep:\n  - {name: narrow, "
                              "model.bottleneck.dense: 2}\n  - {train.batch_size: 20}\n"});
  run("tiny.yaml");
  std::set<std::string> weights;
  for (const char* point : {"narrow", "train.batch_size=20"})
    for (const char* seed : {"seed-0", "seed-7"}) {
      const fs::path folder = at("runs/tiny") / point / seed;
      ASSERT_TRUE(fs::exists(folder / "summary.json")) << folder;
      weights.insert(bytes_of(folder / "last.safetensors"));
    }
  EXPECT_EQ(weights.size(), 4u);
}

TEST_F(RunTest, AStoppedSweepGoesOnByItself) {
  write("tiny.yaml", {.train = "{steps: 600, batch_size: 32, validate: 10}",
                      .rest = "figures: []\nseed: [0, 1]\n"});
  run("tiny.yaml", {"--out", "whole"});
  Process process(folder_.path(), {"run", "tiny.yaml"});
  process.wait_until([&] { return !bytes_of(at("runs/tiny/seed-1/metrics.jsonl")).empty(); });
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait().code, 130);
  run("tiny.yaml");
  for (const char* seed : {"seed-0", "seed-1"})
    expect_same_results(at("whole/tiny") / seed, at("runs/tiny") / seed);
}

// ---- Numbers that are not finite ---------------------------------------------------------------------------------

TEST_F(RunTest, AnInfiniteLossStopsWithEpochAndStep) {
  write("tiny.yaml", {.model = "{encoder: [{dense: 16}], bottleneck: {dense: 8}, likelihood: mse}",
                      .train = "{epochs: 3, batch_size: 32, optimizer: {sgd: 1.0e9}}"});
  const Output stopped = latent({"run", "tiny.yaml", "--checkpoint-seconds", "0"});
  EXPECT_EQ(stopped.code, 1);
  for (const char* part : {"NaN or infinite", "step 2", "epoch 1", "--check"})
    EXPECT_TRUE(contains(stopped.err, part)) << stopped.err;
  // The last checkpoint is from before: step 1, all finite.
  const SafeTensors state = read_safetensors(at("runs/tiny/seed-0/state.safetensors"));
  EXPECT_EQ(state.metadata.at("run.step"), "1");
  const auto weight = state.find("encoder.0.weight")->as<float>();
  EXPECT_TRUE(std::ranges::all_of(weight, [](float w) { return std::isfinite(w); }));
  EXPECT_FALSE(exists("runs/tiny/seed-0/summary.json"));

  const Output checked = latent({"run", "tiny.yaml", "--check", "--overwrite"});
  EXPECT_EQ(checked.code, 1);
  for (const char* part : {"step 2", "epoch 1", "mean_squared_error", "made a NaN or an infinity"})
    EXPECT_TRUE(contains(checked.err, part)) << checked.err;
}

// The gradient is a sum of large rows where the loss is their mean: the first update overflows, and its loss did not.
TEST_F(RunTest, AnInfiniteWeightIsNotSaved) {
  HostTensor rows(Type{DType::f32, {40, 4}});
  for (size_t i = 0; i < 160; ++i) rows.as<float>()[i] = 1e35f * static_cast<float>(1 + i % 7);
  write_safetensors(at("rows.safetensors"), {.tensors = {{"a", rows}}, .metadata = {}});
  write("tiny.yaml",
        {.data = "{source: safetensors, path: rows.safetensors, scale: none, validation: none}",
         .model = "{bottleneck: {dense: 2}, likelihood: mae}",
         .train = "{epochs: 3, batch_size: 8, optimizer: {sgd: 1.0e5}}"});
  const Output stopped = latent({"run", "tiny.yaml", "--checkpoint-seconds", "0"});
  EXPECT_EQ(stopped.code, 1);
  for (const char* part : {"NaN or infinite", "step 1", "epoch 1", ".weight", "--check"})
    EXPECT_TRUE(contains(stopped.err, part)) << stopped.err;
  EXPECT_FALSE(exists("runs/tiny/seed-0/state.safetensors"));
}

TEST_F(RunTest, ACheckedRunIsTheSameRun) {
  write("tiny.yaml", TinyExperiment());
  run("tiny.yaml", {"--out", "plain"});
  run("tiny.yaml", {"--out", "checked", "--check"});
  expect_same_results(at("plain/tiny/seed-0"), at("checked/tiny/seed-0"));
}

// ---- What a run leaves -------------------------------------------------------------------------------------------

TEST_F(RunTest, FolderHoldsWhatItShould) {
  write("tiny.yaml", {.train = "{epochs: 3, batch_size: 32, stop: {patience: 9}}",
                      .rest = "evaluate: [reconstruction, pca]\n"});
  const Output output = run("tiny.yaml");
  for (const char* part : {"encoder.0", "code", "output", "total", "report", "explained_variance"})
    EXPECT_TRUE(contains(output.out, part)) << output.out << part;
  const fs::path folder = at("runs/tiny/seed-0");

  const std::string config = bytes_of(folder / "config.yaml");
  EXPECT_TRUE(contains(config, "tail: wrap") && contains(config, "adam: {lr: 0.001")) << config;

  const std::vector<Json> lines = json_lines(folder / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["epoch"], 1);
  EXPECT_EQ(lines[2]["epoch"], 3);
  EXPECT_EQ(lines[2]["step"], 21);  // 216 rows, 3 epochs, batches of 32: 20.25
  for (const char* split : {"train", "validation"})
    EXPECT_LT(lines[2][split]["loss"], lines[0][split]["loss"]);
  EXPECT_EQ(keys_of(lines[0]), (std::vector<std::string>{"epoch", "step", "train", "validation"}));

  const Json summary = json_of(folder / "summary.json");
  EXPECT_EQ(summary["weights"], "best");
  EXPECT_EQ(summary["steps"], 21);
  EXPECT_EQ(summary["data"]["rows"], Json({{"train", 216}, {"validation", 24}, {"test", 60}}));
  EXPECT_EQ(summary["data"]["sha256"].get<std::string>().size(), 64u);
  for (const char* key : {"seconds", "device", "versions", "commit", "parameters"})
    EXPECT_TRUE(summary.contains(key)) << key;
  const Json& test = summary["metrics"]["test"];
  for (const char* metric :
       {"loss", "bce", "mse", "mae", "sse", "explained_variance", "code_mean", "l0", "dead"})
    EXPECT_TRUE(test[metric].is_number()) << metric;
  EXPECT_GT(test["bce"], test["floor"]["bce"]);
  EXPECT_GT(test["mse"], test["pca"]["mse"]);

  const SafeTensors weights = read_safetensors(folder / "best.safetensors");
  EXPECT_EQ(weights.find("encoder.0.weight")->type.shape, (Shape{16, 784}));
  EXPECT_EQ(weights.find("bottleneck.weight")->type.shape, (Shape{8, 16}));
  EXPECT_EQ(weights.find("decoder.1.weight")->type.shape, (Shape{784, 16}));
  for (const char* name : {"data.shift", "data.scale"}) EXPECT_TRUE(weights.find(name)) << name;
  EXPECT_EQ(json_lines(folder / "timing.jsonl").size(), 3u);

  const std::string report = bytes_of(folder / "report.html");
  EXPECT_FALSE(contains(report, "src=\"http") || contains(report, "href=\"http") ||
               contains(report, "url(http"))
      << "fetches";
  EXPECT_TRUE(contains(report, "data:image/png"));
  size_t figures = 0;
  for (const auto& entry : fs::directory_iterator(folder / "figures")) {
    EXPECT_TRUE(bytes_of(entry.path()).starts_with("\x89PNG")) << entry.path();
    ++figures;
  }
  EXPECT_GE(figures, 4u);
}

}  // namespace
}  // namespace latent
