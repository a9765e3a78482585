// Layers that normalise, dropout and the k-sparse code in models: their names, what they do in training and elsewhere, and
// that a run goes on from a checkpoint as if it had never stopped.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/data_files.h"
#include "tests/small_training.h"

namespace latent {
namespace {

using Names = std::vector<std::string>;

Names names(const Model& model) {
  Names result;
  for (const Parameter& p : model.parameters()) result.push_back(p.name);
  return result;
}

Names kinds(const Model& model) {
  Names result;
  for (const LayerRow& row : model.table()) result.push_back(row.name + ": " + row.kind);
  return result;
}

std::vector<double> numbers(const HostTensor& t) {
  const auto v = t.as<float>();
  return {v.begin(), v.end()};
}

/// What a view makes of rows, with the store's weights.
HostTensor viewed(const Model& model, View view, Store& store, const HostTensor& rows) {
  Program program(view_graph(model, view, rows.type.shape[0]), store);
  store.write(view_input(view), rows);
  program.run();
  return program.output("result");
}

/// The first rows of an experiment's train split, as the encoder gets them.
HostTensor train_rows(const Experiment& e, int64_t n) {
  HostTensor rows(Type{DType::f32, {n, 28, 28, 1}});
  const auto bytes = e.data.train.array().as<uint8_t>();
  for (int64_t i = 0; i < rows.type.elements(); ++i) rows.as<float>()[i] = bytes[i] / 255.0f;
  return rows;
}

/// Three steps, all variables into another store, three more: the bits of six.
void expect_resumes(const std::string& model, const std::string& train) {
  SCOPED_TRACE(model);
  const Experiment e = small_experiment(model, train);
  Training whole(e), first(e), second(e);
  whole.program.run(6);
  first.program.run(3);
  for (const auto& [name, value] : first.values()) second.store.write(name, value);
  second.program.run(3);
  EXPECT_EQ(second.values(), whole.values());
}

// ---- Normalisation -------------------------------------------------------------------------------

const std::string kNormalised =
    "encoder: [{dense: 12, activation: relu}, batch_norm, {dense: 8}, layer_norm, normalize], "
    "bottleneck: {dense: 4}, likelihood: bce";

TEST(Normalising, LayersAreCalledAsInPyTorchAndMirrored) {
  const Model m = small_model(kNormalised);
  EXPECT_EQ(kinds(m), (Names{"input: data", "encoder.0: dense, relu", "encoder.1: batch_norm",
                             "encoder.2: dense", "encoder.3: layer_norm",
                             "encoder.4: normalize, l2", "code: dense", "decoder.0: dense",
                             "decoder.1: layer_norm", "decoder.2: normalize, l2",
                             "decoder.3: dense, relu", "decoder.4: batch_norm", "output: dense"}));
  const Names all = names(m);
  for (const char* name :
       {"encoder.1.weight", "encoder.1.bias", "encoder.1.running_mean", "encoder.1.running_var",
        "encoder.3.weight", "encoder.3.bias", "decoder.1.weight", "decoder.4.running_var"})
    EXPECT_EQ(std::ranges::count(all, name), 1) << name;
  for (const Parameter& p : m.parameters()) {
    const bool of_batch = p.name.starts_with("decoder.4"),
               of_layer = p.name.starts_with("encoder.3");
    EXPECT_EQ(p.frozen, p.name.find("running") != std::string::npos) << p.name;
    EXPECT_TRUE(!of_batch || p.type.shape == Shape{12}) << p.name;
    EXPECT_TRUE(!(of_batch || of_layer) || p.bias) << p.name << " is not in weight_decay";
  }
}

TEST(Normalising, WhatActsOnTheInputAloneIsNotMirrored) {
  const Model m = small_model(
      "encoder: [normalize, {dropout: 0.5}, batch_norm, {dense: 5}], bottleneck: {dense: 3}, "
      "likelihood: mse");
  EXPECT_EQ(kinds(m), (Names{"input: data", "encoder.0: normalize, l2", "encoder.1: dropout 0.5",
                             "encoder.2: batch_norm", "encoder.3: dense", "code: dense",
                             "decoder.0: dense", "output: dense"}));
}

TEST(Normalising, RunningStatisticsAreOfTheBatchesSeen) {
  const Experiment e =
      small_experiment("encoder: [batch_norm], bottleneck: {dense: 4}, likelihood: mse",
                       "epochs: 1, batch_size: 16, shuffle: false, optimizer: {sgd: 1.0e-3}");
  Training training(e);
  training.program.run(2);  // rows 0 to 15, then 16 to 31
  // One channel: pixels are all values of it.
  const auto x = numbers(train_rows(e, 32));
  double mean = 0, var = 1;
  for (const size_t half : {0, 1}) {
    const size_t n = x.size() / 2;
    double m = 0, v = 0;
    for (size_t i = half * n; i < (half + 1) * n; ++i) m += x[i] / double(n);
    for (size_t i = half * n; i < (half + 1) * n; ++i) v += (x[i] - m) * (x[i] - m);
    mean = 0.9 * mean + 0.1 * m;
    var = 0.9 * var + 0.1 * v / double(n - 1);
  }
  EXPECT_NEAR(training.store.read("encoder.0.running_mean").as<float>()[0], mean, 1e-6);
  EXPECT_NEAR(training.store.read("encoder.0.running_var").as<float>()[0], var, 1e-6);
  // Views use them: the code of a row does not depend on the rows beside it.
  HostTensor rows = train_rows(e, 3);
  const auto one = numbers(viewed(*e.model, View::encoder, training.store, rows));
  std::ranges::fill(rows.as<float>().subspan(784), 0.7f);
  const auto other = numbers(viewed(*e.model, View::encoder, training.store, rows));
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(one[i], other[i], 1e-6);
  const auto w = numbers(training.store.read("bottleneck.weight"));
  double code = training.store.read("bottleneck.bias").as<float>()[0];
  const double scale = training.store.read("encoder.0.weight").as<float>()[0],
               shift = training.store.read("encoder.0.bias").as<float>()[0];
  for (size_t i = 0; i < 784; ++i)
    code += w[i] * (scale * (x[i] - mean) / std::sqrt(var + 1e-5) + shift);
  EXPECT_NEAR(one[0], code, 1e-4);
}

TEST(Normalising, ANonFiniteLossLeavesRunningStatistics) {
  const Experiment e =
      small_experiment("encoder: [{dense: 8}, batch_norm], bottleneck: {dense: 4}, likelihood: mse",
                       "epochs: 1, batch_size: 16, optimizer: {sgd: 1.0e18}");
  Training training(e);
  Values last;
  for (int step = 0; training.counter("latch") == 0; ++step) {
    ASSERT_LT(step, 20);
    last = training.values();
    training.program.run();
  }
  for (const char* name : {"encoder.1.running_mean", "encoder.1.running_var", "encoder.1.weight"})
    EXPECT_EQ(training.store.read(name), last.at(name)) << name;
}

/// Statistics go from the batch into the variables, which costs a launch each and no copy.
TEST(Normalising, CopiesNothing) {
  const Experiment e = small_experiment(kNormalised, "epochs: 1, batch_size: 8");
  EXPECT_TRUE(Training(e).program.plan().copies.empty());
}

TEST(Normalising, RunsResumeExactly) {
  expect_resumes(kNormalised, "epochs: 2, batch_size: 8, optimizer: adam, ema: 0.9");
}

TEST(Normalising, IsRefusedWhereNothingWouldBeLeft) {
  expect_user_error(
      [] {
        small_model("encoder: [layer_norm], bottleneck: {dense: 2}, likelihood: bce", {4, 4, 1});
      },
      "model.encoder.0", "one entry");
  const Experiment e =
      small_experiment("encoder: [{dense: 3}, batch_norm], bottleneck: {dense: 2}, likelihood: bce",
                       "epochs: 1, batch_size: 1", 20);
  expect_user_error([&] { Training training(e); }, "model.encoder.1", "train.batch_size");
}

// ---- Dropout -------------------------------------------------------------------------------------

TEST(DropoutLayer, ActsInTrainingAlone) {
  const std::string model = "encoder: [{dense: 6}, {dropout: 0.5}], bottleneck: {dense: 3}, ";
  const Experiment e = small_experiment(model + "likelihood: mse", "epochs: 1, batch_size: 8");
  const auto dropouts = [](const Graph& graph) {
    return std::ranges::count_if(
        graph.nodes(), [](const Node& n) { return !n.leaf() && n.op.name() == "dropout"; });
  };
  const SplitSource source = split_source(e, "train");
  // Encoder and mirror, forward and backward.
  EXPECT_EQ(dropouts(training_graph(*e.model, source, e.training)), 4);
  EXPECT_EQ(dropouts(evaluation_graph(*e.model, source, 8)), 0);
  EXPECT_EQ(dropouts(view_graph(*e.model, View::autoencoder, 8)), 0);
}

TEST(DropoutLayer, EveryStepAndLayerHasItsMask) {
  const Experiment e = small_experiment(
      "encoder: [{dense: 64, init: zeros, bias_init: 1, freeze: true}, {dropout: 0.5}, {dropout: "
      "0.5, "
      "name: again}], bottleneck: identity, decoder: [{dense: 5}], likelihood: mse",
      "epochs: 1, batch_size: 8");
  Graph graph = training_graph(*e.model, split_source(e, "train"), e.training);
  int found = 0;
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id)
    if (const Node& n = graph.nodes()[id]; !n.leaf() && n.op.name() == "dropout" && found < 2)
      graph.output(cat("mask", found++), {&graph, id, 0});
  Store store(open_device("cpu"));
  Program program(graph, store);
  upload_split(e, "train", store);
  program.run();
  const HostTensor first = program.output("mask0"), both = program.output("mask1");
  int zeros = 0, more = 0;
  for (int64_t i = 0; i < first.type.elements(); ++i) {
    zeros += first.as<float>()[i] == 0;
    more += both.as<float>()[i] == 0;
    EXPECT_TRUE(first.as<float>()[i] != 0 || both.as<float>()[i] == 0);
  }
  EXPECT_NEAR(zeros, 256, 60);
  EXPECT_NEAR(more, 384, 60) << "the second layer draws its own";
  program.run();
  EXPECT_NE(program.output("mask0"), first);
}

TEST(DropoutLayer, RunsResumeExactly) {
  expect_resumes(
      "encoder: [{dropout: 0.2}, {dense: 9}, {dropout: 0.5}], bottleneck: {dense: 4}, "
      "likelihood: bce",
      "epochs: 2, batch_size: 8");
}

// ---- k-sparse codes ------------------------------------------------------------------------------

const std::string kSparse = "bottleneck: {topk: 60, k: 5}, likelihood: mse";

/// Active units of each row.
std::vector<int64_t> active(const HostTensor& code) {
  const int64_t rows = code.type.shape[0], d = code.type.elements() / rows;
  std::vector<int64_t> counts(rows);
  for (int64_t i = 0; i < code.type.elements(); ++i) counts[i / d] += code.as<float>()[i] != 0;
  return counts;
}

TEST(TopKCode, HasKActiveUnits) {
  const auto code_of = [](const std::string& model) {
    const Experiment e = small_experiment(model, "epochs: 1, batch_size: 8");
    Training training(e);
    training.program.run(3);
    return viewed(*e.model, View::encoder, training.store, train_rows(e, 6));
  };
  EXPECT_EQ(active(code_of(kSparse)), (std::vector<int64_t>(6, 5)));
  EXPECT_EQ(active(code_of("bottleneck: {topk: 60, k: 5, test_k: 15}, likelihood: mse")),
            (std::vector<int64_t>(6, 15)));
  // Behind relu only positive ones are left; by magnitude negative ones count too.
  const HostTensor positive =
      code_of("bottleneck: {topk: 60, k: 5, by: magnitude, activation: relu}, likelihood: mse");
  for (const float v : positive.as<float>()) EXPECT_GE(v, 0);
  const HostTensor signs = code_of("bottleneck: {topk: 60, k: 9, by: magnitude}, likelihood: mse");
  EXPECT_EQ(active(signs), (std::vector<int64_t>(6, 9)));
  EXPECT_LT(std::ranges::min(signs.as<float>()), 0);
}

TEST(TopKCode, KFollowsItsSchedule) {
  const Experiment e = small_experiment(
      "bottleneck: {topk: 40, k: 4, schedule: {linear: {over: 4, from: 5, to: 1}}}, "
      "likelihood: mse",
      "steps: 8, batch_size: 8");
  Graph graph = training_graph(*e.model, split_source(e, "train"), e.training);
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id)
    if (const Node& n = graph.nodes()[id]; !n.leaf() && n.op.name() == "topk")
      graph.output("code", {&graph, id, 0});
  Store store(open_device("cpu"));
  Program program(graph, store);
  upload_split(e, "train", store);
  std::vector<int64_t> counts;
  for (int step = 0; step < 6; ++step) {
    program.run();
    const auto now = active(program.output("code"));
    EXPECT_EQ(now, std::vector<int64_t>(8, now[0]));
    counts.push_back(now[0]);
  }
  EXPECT_EQ(counts, (std::vector<int64_t>{20, 16, 12, 8, 4, 4}));
}

TEST(TopKCode, MetricsCountActiveAndDeadUnits) {
  const Experiment e = small_experiment(kSparse, "epochs: 1, batch_size: 8");
  Training training(e);
  const SplitSource source = split_source(e, "train");
  std::vector<std::string> terms;
  Program program(evaluation_graph(*e.model, source, source.rows, &terms), training.store);
  program.run();
  const HostTensor sums = training.store.read("train.sums");
  const auto l0 = std::ranges::find(terms, "l0") - terms.begin();
  EXPECT_NEAR(sums.as<double>()[2 + l0] / sums.as<double>()[0], 5, 1e-9);
  // A unit is dead when no row has it among its five.
  const HostTensor code =
      viewed(*e.model, View::encoder, training.store, train_rows(e, source.rows));
  const HostTensor peak = training.store.read("train.peak");
  int dead = 0;
  for (int64_t c = 0; c < 60; ++c) {
    bool fires = false;
    for (int64_t r = 0; r < source.rows; ++r) fires |= code.as<float>()[r * 60 + c] != 0;
    EXPECT_EQ(peak.as<float>()[c] == 0, !fires) << c;
    dead += !fires;
  }
  EXPECT_GT(dead, 0);
}

TEST(TopKCode, Overfits32Rows) {
  const Experiment e =
      small_experiment("bottleneck: {topk: 200, k: 20}, likelihood: mse, decoder: {mirror: tied}",
                       "epochs: 1, batch_size: 32, optimizer: {adam: 0.003}");
  Training training(e);
  training.program.run();
  const double first = training.take_loss();
  training.program.run(400);
  training.take_loss();
  training.program.run(5);
  EXPECT_LT(training.take_loss(), 0.1 * first);
}

TEST(TopKCode, RunsResumeExactly) {
  expect_resumes(
      "bottleneck: {topk: 30, k: 3, activation: relu, pre_bias: true, schedule: {linear: {over: 5, "
      "from: 4}}}, output: {dense: {unit_norm: true}}, likelihood: mse",
      "epochs: 2, batch_size: 8");
}

TEST(TopKCode, PreBiasIsTheOutputsBias) {
  const Experiment e = small_experiment(
      "bottleneck: {topk: 30, k: 30, pre_bias: true}, likelihood: mse, output: {dense: {bias_init: "
      "0.25}}",
      "epochs: 1, batch_size: 8");
  const Experiment plain = small_experiment("bottleneck: {topk: 30, k: 30}, likelihood: mse",
                                            "epochs: 1, batch_size: 8");
  Training with(e), without(plain);
  HostTensor rows = train_rows(e, 2), moved = rows;
  for (float& v : moved.as<float>()) v -= 0.25f;
  const HostTensor a = viewed(*e.model, View::encoder, with.store, rows),
                   b = viewed(*plain.model, View::encoder, without.store, moved);
  for (int64_t i = 0; i < a.type.elements(); ++i)
    EXPECT_NEAR(a.as<float>()[i], b.as<float>()[i], 1e-5);
}

TEST(TopKCode, RefusesWhatDoesNotFit) {
  const auto refused = [](const std::string& model, const std::string& part,
                          const std::string& other) {
    SCOPED_TRACE(model);
    expect_user_error([&] { Problem(small_model(model), 2, DType::f32); }, part, other);
  };
  refused("bottleneck: {topk: 4, k: 5}, likelihood: mse", "model.bottleneck.topk.k", "4 units");
  refused("bottleneck: {topk: 4, k: 2, test_k: 9}, likelihood: mse", "test_k", "4 units");
  refused("encoder: [{dense: 5}], bottleneck: {topk: 4, k: 2, pre_bias: true}, likelihood: mse",
          "pre_bias", "must be alike");
  refused(
      "bottleneck: {topk: 4, k: 2, pre_bias: true}, likelihood: mse, output: {dense: {bias: "
      "false}}",
      "pre_bias", "no bias");
  refused(
      "bottleneck: {topk: 4, k: 2, pre_bias: true}, likelihood: mse, decoder: [{dense: 6}], "
      "output: none",
      "pre_bias", "no output layer");
}

// ---- unit_norm -----------------------------------------------------------------------------------

double norm(const HostTensor& t, int64_t first, int64_t n, int64_t stride) {
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += std::pow(t.as<float>()[first + i * stride], 2);
  return std::sqrt(squares);
}

/// Rows of the code's weight, columns of the output's: each unit's direction in the data.
TEST(UnitNormOption, DirectionsKeepNormOne) {
  for (const char* train :
       {"optimizer: {adam: 0.01}", "optimizer: {sgd: 0.5, momentum: 0.9}, ema: 0.9",
        "optimizer: adam, clip: 0.1"}) {
    const Experiment e = small_experiment(
        "bottleneck: {topk: 12, k: 3, unit_norm: true}, likelihood: mse, output: {dense: "
        "{unit_norm: true}}",
        cat("epochs: 1, batch_size: 8, ", train));
    Training training(e);
    const HostTensor initial = training.store.read("decoder.0.weight");
    for (int step = 0; step < 3; ++step) {
      const HostTensor w = training.store.read("bottleneck.weight"),
                       d = training.store.read("decoder.0.weight");
      for (int64_t unit = 0; unit < 12; ++unit) {
        EXPECT_NEAR(norm(w, unit * 784, 784, 1), 1, 1e-5) << train << " step " << step;
        EXPECT_NEAR(norm(d, unit, 784, 12), 1, 1e-5) << train << " step " << step;
      }
      training.program.run();
    }
    EXPECT_NE(training.store.read("decoder.0.weight"), initial) << "it is trained";
    EXPECT_NE(training.store.read("decoder.0.bias"), HostTensor(Type{DType::f32, {784}}));
  }
}

/// The optimizer writes into the parameters' memory, and so do unit norms behind it: no copy.
TEST(UnitNormOption, IsOneLaunchMore) {
  const auto plan = [](const std::string& more) {
    const Experiment e = small_experiment(
        cat("bottleneck: {topk: 12, k: 3", more, "}, likelihood: mse"), "epochs: 1, batch_size: 8");
    Training training(e);
    EXPECT_TRUE(training.program.plan().copies.empty()) << more;
    return training.program.plan().total().launches;
  };
  EXPECT_EQ(plan(", unit_norm: true"), plan("") + 1);
}

TEST(UnitNormOption, TiedAndAtTheStart) {
  const std::string code = "bottleneck: {dense: 3, unit_norm: true}, likelihood: mse, ";
  const Model m = small_model(code + "decoder: {mirror: tied_at_start}");
  for (const Parameter& p : m.parameters()) {
    if (p.bias) continue;
    HostTensor w(p.type);
    p.init(w);
    for (int64_t unit = 0; unit < 3; ++unit)
      EXPECT_NEAR(p.name == "bottleneck.weight" ? norm(w, unit * 6, 6, 1) : norm(w, unit, 6, 3), 1,
                  1e-6)
          << p.name;
  }
  expect_user_error(
      [] {
        small_model(
            "bottleneck: {dense: 3}, likelihood: mse, decoder: {mirror: tied}, output: "
            "{dense: {unit_norm: true}}");
      },
      "model.output.unit_norm", "tied");
}

}  // namespace
}  // namespace latent
