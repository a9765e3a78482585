// Experiments on sparse rows: the numbers of the same rows written out, from kernels that read entries.
#include <algorithm>
#include <cmath>

#include "core/data/rows_file.h"
#include "core/graph/passes.h"
#include "core/io/atomic_file.h"
#include "experiments/evaluator.h"
#include "tests/command.h"
#include "tests/small_training.h"
#include "tests/sparse_files.h"

namespace latent {
namespace {

constexpr const char* kSgd = "epochs: 1, batch_size: 16, optimizer: {sgd: 0.02}";

class SparseTraining : public ::testing::Test {
 protected:
  TemporaryFolder folder;
  HostTensor rows = drawn_counts(90, 23);

  Experiment make(bool sparse, const std::string& model, const std::string& train = kSgd,
                  const std::string& data = "", const std::string& evaluate = "[reconstruction]") {
    const std::string file = (folder / (sparse ? "x.npz" : "x.npy")).string();
    if (sparse)
      write_file_atomically(file, npz_of(arrays_of(rows)));
    else
      write_rows(file, rows);
    const std::string text =
        cat("data: {source: ", sparse ? "npz" : "npy", ", path: ", file,
            data.find("scale") == data.npos ? ", scale: none" : "", data, "}\nmodel: {", model,
            "}\ntrain: {", train, "}\nevaluate: ", evaluate, "\n");
    return make_experiment(resolve_config(parse_yaml(text, "test.yaml"), "test"));
  }
  /// Thirty steps both ways have the same losses, and then the same metrics on every split.
  void expect_same(const std::string& model, const std::string& train = kSgd,
                   const std::string& data = "", double tolerance = 1e-5) {
    SCOPED_TRACE(model);
    const Experiment a = make(true, model, train, data), b = make(false, model, train, data);
    Training sparse(a), dense(b);
    ASSERT_EQ(sparse.terms, dense.terms);
    for (int step = 0; step < 30; ++step) {
      sparse.program.run();
      dense.program.run();
      const double loss = dense.take_loss();
      ASSERT_NEAR(sparse.take_loss(), loss, tolerance * (1 + std::abs(loss))) << "step " << step;
    }
    for (const char* split : {"train", "validation", "test"}) {
      const auto evaluations = a.config.at("evaluate").list();
      const Metrics got = Evaluator(a, sparse.store, split, false).run(evaluations),
                    want = Evaluator(b, dense.store, split, false).run(evaluations);
      ASSERT_EQ(got.size(), want.size());
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(got[i].first, want[i].first);
        EXPECT_NEAR(got[i].second, want[i].second, 10 * tolerance * (1 + std::abs(want[i].second)))
            << split << " " << got[i].first;
      }
    }
  }
  static int64_t count(const Graph& graph, const std::string& op) {
    return std::ranges::count_if(graph.nodes(),
                                 [&](const Node& n) { return !n.leaf() && n.op.name() == op; });
  }
  Graph training_step(const std::string& model) {
    const Experiment e = make(true, model);
    return optimise(training_graph(*e.model, split_source(e, "train"), e.training));
  }
};

TEST_F(SparseTraining, LossesAndMetricsAreThoseOfTheRowsWrittenOut) {
  expect_same("bottleneck: {dense: {units: 6, activation: tanh}}, likelihood: multinomial");
  expect_same(
      "encoder: [{dense: [12, 8], activation: tanh}], bottleneck: {dense: 4}, "
      "likelihood: multinomial");
  expect_same("bottleneck: {gaussian: 4}, likelihood: multinomial");
  expect_same("bottleneck: {dense: 6}, decoder: {mirror: tied}, likelihood: mse");
  expect_same("bottleneck: {dense: {units: 6, bias: false}}, likelihood: mse", kSgd,
              ", scale: rms");
  expect_same("bottleneck: {dense: 6}, likelihood: bernoulli", kSgd, ", binarize: threshold");
  expect_same("bottleneck: {dense: 6}, likelihood: bce", kSgd, ", scale: unit");
  expect_same("bottleneck: {gaussian: 4}, likelihood: {gaussian: {variance: learned}}",
              "epochs: 1, batch_size: 16, optimizer: {sgd: 0.001}");
  expect_same("bottleneck: {topk: {units: 12, k: 3, pre_bias: true}}, likelihood: mse");
}

/// Parts that want the rows themselves get them.
TEST_F(SparseTraining, EveryReaderOfRowsReadsThem) {
  for (const char* layer : {"{normalize: {}}, {dense: 6}", "{dropout: 0.3}, {dense: 6}",
                            "{reshape: [23, 1]}, {lstm: 3}", "tanh, {dense: 6}"})
    expect_same(cat("encoder: [", layer, "], bottleneck: {dense: 4}, decoder: [], ",
                    "likelihood: multinomial"));
  for (const char* estimator : {"closed", "exact", "hutchinson"})
    expect_same(
        cat("bottleneck: {dense: {units: 6, activation: sigmoid}}, likelihood: multinomial, "
            "penalties: [{jacobian: {weight: 0.1, estimator: ",
            estimator, "}}]"));
  expect_same(
      "encoder: [{dense: 8, activation: sigmoid}], bottleneck: {dense: {units: 6, activation: "
      "sigmoid}}, likelihood: multinomial, penalties: [{jacobian: {weight: 0.1, estimator: exact, "
      "hessian: {std: 0.1}}}, {kl_sparsity: 0.1}]");
  expect_same("bottleneck: {gaussian: {units: 3, samples: 2}}, likelihood: multinomial");
}

TEST_F(SparseTraining, OtherOrdersAndTails) {
  const std::string model = "bottleneck: {dense: 6}, likelihood: multinomial";
  for (const char* train :
       {"epochs: 1, batch_size: 13, tail: drop, optimizer: {adam: 0.01}",
        "epochs: 1, batch_size: 16, shuffle: false, optimizer: {sgd: 0.02, momentum: 0.9}",
        "epochs: 1, batch_size: 60, ema: 0.9, clip: 0.5, optimizer: {sgd: 0.02}"})
    expect_same(model, train);
}

TEST_F(SparseTraining, RowsAreNeverWrittenOut) {
  const Graph step = training_step(
      "encoder: [{dense: 12, activation: tanh}], bottleneck: {dense: 4}, likelihood: multinomial");
  EXPECT_EQ(count(step, "csr_dense"), 0);
  EXPECT_EQ(count(step, "gather.ids"), 1);
  EXPECT_EQ(count(step, "csr_linear"), 1);
  EXPECT_EQ(count(step, "csr_linear.weight_gradient"), 1);
  EXPECT_EQ(count(step, "multinomial_nll.csr.with_gradient"), 1);
  for (const char* model :
       {"bottleneck: {gaussian: 4}, likelihood: multinomial",
        "bottleneck: {dense: {units: 6, activation: tanh}}, decoder: {mirror: tied}, likelihood: "
        "multinomial, penalties: [{jacobian: 0.1}, {l1: 0.1}]"}) {
    const Graph other = training_step(model);
    EXPECT_EQ(count(other, "csr_dense"), 0) << model;
    EXPECT_EQ(count(other, "csr_linear"), 1) << model;
  }
  // What the squared error is of, and nothing else.
  const Graph squared = training_step("bottleneck: {dense: 6}, likelihood: mse");
  EXPECT_EQ(count(squared, "csr_dense"), 1);
  EXPECT_EQ(count(squared, "csr_linear"), 1);
  EXPECT_EQ(count(squared, "csr_linear.weight_gradient"), 1);
}

/// Masking and dropout strike the same elements both ways, in training and, by example, in evaluation.
TEST_F(SparseTraining, NoiseIsThatOfTheRowsWrittenOut) {
  const std::vector<std::string> noises{
      "{masking: 0.3}", "{dropout: 0.5}",
      "[{masking: {rate: 0.6, schedule: {linear: {over: 20}}}}, {dropout: 0.25}]"};
  for (const std::string& noise : noises) {
    const std::string model = cat("corruption: ", noise, ", bottleneck: {dense: 6}, likelihood: ");
    expect_same(model + "multinomial");
    expect_same(model + "mse");
    const Graph step = training_step(model + "multinomial");
    EXPECT_EQ(count(step, "csr_dense"), 0);
    EXPECT_EQ(count(step, "csr_linear"), 1);
    EXPECT_EQ(count(step, "multinomial_nll.csr.with_gradient"), 1);
  }
  // The batch itself, to the bit.
  for (const bool training : {true, false}) {
    const auto input = [&](bool sparse) {
      const Experiment e = make(
          sparse, cat("corruption: ", noises.back(), ", bottleneck: {dense: 6}, likelihood: mse"));
      Graph graph;
      Build build{.graph = graph, .training = training, .taps = {}};
      const auto counter = [&](const char* name) {
        return graph.variable({.name = name,
                               .type = {DType::u64, {1}},
                               .role = Role::constant,
                               .init = {},
                               .group = ""});
      };
      build.step = counter("step");
      build.seed = counter(names::kSeed);
      const Batch batch =
          gather_batch(build, *e.model, split_source(e, "train"), {.batch = 32}, &e.length);
      graph.output("input", batch.input);
      Store store(open_device("cpu"));
      Program program(graph, store);
      upload_split(e, "train", store);
      store.write("step", host_tensor<uint64_t>({1}, std::vector<uint64_t>{7}));
      program.run();
      return program.output("input");
    };
    EXPECT_EQ(input(true), input(false));
  }
}

TEST_F(SparseTraining, TwiceAndResumedToTheBit) {
  const Experiment e =
      make(true, "corruption: {dropout: 0.5}, bottleneck: {gaussian: 4}, likelihood: multinomial");
  Training whole(e), again(e), first(e), second(e);
  whole.program.run(12);
  again.program.run(12);
  EXPECT_EQ(whole.values(), again.values());
  first.program.run(5);
  for (const auto& [name, value] : first.values()) second.store.write(name, value);
  second.program.run(7);
  EXPECT_EQ(whole.values(), second.values());
}

TEST_F(SparseTraining, RowsWithoutEntries) {
  rows = HostTensor(rows.type);
  const Experiment e = make(true, "bottleneck: {dense: 3}, likelihood: multinomial");
  Training training(e);
  training.program.run(3);
  EXPECT_EQ(training.take_loss(), 0);
  EXPECT_EQ(training.counter("latch"), 0u);
  Evaluator(e, training.store, "test", false).run(e.config.at("evaluate").list());
}

TEST_F(SparseTraining, TargetsOfTheirOwn) {
  const HostTensor dense = drawn_counts(90, 5);
  write_rows(folder / "y.npy", dense);
  write_file_atomically(folder / "y.npz", npz_of(arrays_of(dense)));
  const std::string model =
      "encoder: [{dense: 8}], bottleneck: {dense: 4}, likelihood: multinomial";
  const auto losses = [&](bool sparse, const char* targets) {
    const Experiment e = make(sparse, model, kSgd, cat(", target: ", (folder / targets).string()));
    Training training(e);
    training.program.run(20);
    return training.take_loss();
  };
  const double want = losses(false, "y.npy");
  for (const bool sparse : {true, false})
    for (const char* targets : {"y.npy", "y.npz"})
      EXPECT_NEAR(losses(sparse, targets), want, 1e-5 * want) << sparse << targets;
  write_file_atomically(folder / "same.npz", npz_of(arrays_of(rows)));
  const Experiment shifted =
      make(false, "bottleneck: {dense: 4}, likelihood: mse", kSgd,
           cat(", scale: standard, target: ", (folder / "same.npz").string()));
  expect_user_error([&] { Training training(shifted); }, "data.target.shift",
                    "the zeros of sparse rows would be filled");
}

TEST_F(SparseTraining, EvaluationsThatReadRows) {
  HostTensor labels(Type{DType::f32, {90, 1}});
  for (int64_t r = 0; r < 90; ++r) labels.as<float>()[r] = static_cast<float>(r % 4 == 0);
  write_rows(folder / "labels.npy", labels);
  const auto metrics = [&](bool sparse) {
    const Experiment e =
        make(sparse, "bottleneck: {dense: 3}, likelihood: mse", kSgd,
             cat(", labels: ", (folder / "labels.npy").string()),
             "[pca, {anomaly: {components: 3}}, {denoising: {corruption: {masking: 0.3}}}]");
    Training training(e);
    return Evaluator(e, training.store, "test", false).run(e.config.at("evaluate").list());
  };
  const Metrics got = metrics(true), want = metrics(false);
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (got[i].second == want[i].second)
      continue;  // a row that nothing struck has an infinite PSNR
    EXPECT_NEAR(got[i].second, want[i].second, 1e-4 * (1 + std::abs(want[i].second)))
        << got[i].first;
  }
}

TEST_F(SparseTraining, WhatFillsZerosIsRefused) {
  const std::string model = "bottleneck: {dense: 3}, likelihood: ";
  HostTensor& counts = rows;
  expect_user_error([&] { make(true, model + "mse", kSgd, ", scale: standard"); }, "data.scale",
                    "standard");
  const auto noise = [&](const std::string& corruption, const std::string& part,
                         const std::string& other) {
    expect_user_error([&] { make(true, cat("corruption: ", corruption, ", ", model, "mse")); },
                      part, other);
  };
  noise("{gaussian: 0.1}", "model.corruption", "gaussian fills the zeros of sparse rows");
  noise("[{masking: 0.1}, {salt_and_pepper: 0.1}]", "model.corruption",
        "salt_and_pepper fills the zeros of sparse rows");
  noise("{masking: {rate: 0.1, emphasis: [1, 0]}}", "model.corruption.emphasis",
        "weighs every element, and the rows are sparse");
  counts.as<float>()[0] = -1;
  expect_user_error([&] { make(true, model + "multinomial"); }, "multinomial explains counts");
}

// ---- The command line

class SparseCommands : public CommandTest {
 protected:
  HostTensor rows = drawn_counts(80, 12);

  void SetUp() override {
    write_file_atomically(at("x.npz"), npz_of(arrays_of(rows)));
    write("tiny.yaml",
          {.data = "{source: npz, path: x.npz}",
           .model = "{encoder: [{dense: 8, activation: tanh}], bottleneck: {dense: 3}, "
                    "likelihood: multinomial}",
           .train = "{epochs: 4, batch_size: 16}",
           .rest = "evaluate: [reconstruction, pca]\n"});
  }
  HostTensor result(const std::string& command, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{command, "runs/tiny/seed-0", "-o", "out.npy"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Output ran = latent(arguments);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return read_rows(at("out.npy")).array();
  }
};

TEST_F(SparseCommands, EveryCommandTakesThem) {
  const Output plan = latent({"plan", "tiny.yaml"});
  EXPECT_EQ(plan.code, 0) << plan.err;
  EXPECT_NE(plan.out.find("csr_linear: f32[16, 8]"), std::string::npos) << plan.out;
  EXPECT_NE(plan.out.find("multinomial_nll.csr.with_gradient"), std::string::npos);
  EXPECT_EQ(plan.out.find("csr_dense"), std::string::npos);
  run("tiny.yaml");
  EXPECT_TRUE(exists("runs/tiny/seed-0/report.html"));
  write_rows(at("x.npy"), rows);
  for (const char* command : {"encode", "reconstruct"}) {
    const HostTensor sparse = result(command, {"--data", "x.npz"});
    EXPECT_EQ(sparse.type.shape[0], 80);
    EXPECT_EQ(sparse, result(command, {"--data", "x.npy"})) << command;
  }
  EXPECT_EQ(result("encode", {}).type.shape, (Shape{16, 3}));
  const Output own = latent({"evaluate", "runs/tiny/seed-0"}),
               file = latent({"evaluate", "runs/tiny/seed-0", "--data", "x.npz"}),
               array = latent({"evaluate", "runs/tiny/seed-0", "--data", "x.npy"});
  for (const Output* output : {&own, &file, &array}) EXPECT_EQ(output->code, 0) << output->err;
  EXPECT_NE(own.out, file.out);
  EXPECT_EQ(file.out, array.out);
}

TEST_F(SparseCommands, ARunGoesOnOverTheSameMatrixAlone) {
  run("tiny.yaml");
  const std::string metrics = bytes_of(at("runs/tiny/seed-0/metrics.jsonl"));
  run("tiny.yaml", {"--out", "again"});
  EXPECT_EQ(metrics, bytes_of(at("again/tiny/seed-0/metrics.jsonl")));
  EXPECT_EQ(bytes_of(at("runs/tiny/seed-0/last.safetensors")),
            bytes_of(at("again/tiny/seed-0/last.safetensors")));
  rows.as<float>()[0] += 1;
  write_file_atomically(at("x.npz"), npz_of(arrays_of(rows)));
  EXPECT_EQ(latent({"run", "tiny.yaml"}).code, 2);
}

}  // namespace
}  // namespace latent
