// Training steps: they learn, count, stop and repeat as documented, on every device of the build.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "core/config/registry.h"
#include "experiments/evaluator.h"
#include "kernels/ops.h"
#include "tests/small_training.h"

namespace latent {
namespace {

const std::string kSimple = "bottleneck: {dense: 32, activation: relu}, likelihood: bce";
const std::string kTied =
    "encoder: [{dense: 48, activation: relu}], bottleneck: {dense: 16, activation: sigmoid}, "
    "likelihood: bernoulli, decoder: {mirror: tied}, penalties: [{weight_decay: 1.0e-4}]";
const std::string kDeep =
    "encoder: [{dense: [128, 64], activation: relu}], bottleneck: {dense: 32, activation: relu}, "
    "likelihood: bce";

std::vector<std::string> built(Family family) {
  std::vector<std::string> names;
  for (const std::string& name : names_of(family))
    if (find_choice(family, name)->unbuilt.empty()) names.push_back(name);
  return names;
}

/// Mean loss over the train rows with fixed weights.
double loss_of(const Experiment& e, Store& store, bool averaged = false) {
  const SplitSource source = split_source(e, "train");
  Program program(evaluation_graph(*e.model, source, source.rows, nullptr, averaged), store);
  upload_split(e, "train", store);
  for (const char* name : {"train.step", "train.latch", "train.sums"})
    store.write(name, HostTensor(store.variable(name).type));
  program.run();
  const HostTensor sums = store.read("train.sums");
  return sums.as<double>()[1] / sums.as<double>()[0];
}

/// -sum x log(x / the row's sum) over the elements of u8 rows as shares of 255.
double shares_entropy(const HostTensor& rows) {
  const auto bytes = rows.as<uint8_t>();
  const size_t cols = bytes.size() / static_cast<size_t>(rows.type.shape[0]);
  double total = 0;
  for (size_t first = 0; first < bytes.size(); first += cols) {
    const auto row = bytes.subspan(first, cols);
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    for (const uint8_t byte : row)
      if (byte > 0) total -= byte / 255.0 * std::log(byte / sum);
  }
  return total;
}

class Overfits : public testing::TestWithParam<std::string> {};

/// What remains is less than a fifth of the start, above the least that the data allow.
TEST_P(Overfits, ThirtyTwoRows) {
  const std::string likelihood = GetParam();
  const Experiment e = small_experiment(cat("bottleneck: {dense: 32}, likelihood: ", likelihood),
                                        "epochs: 1, batch_size: 32, optimizer: {adam: 0.003}");
  Training training(e);
  training.program.run();
  const double first = training.take_loss();
  training.program.run(600);
  training.take_loss();
  training.program.run(5);
  // Grey data leave a Bernoulli likelihood their entropy, and a Gaussian one its constant.
  const HostTensor& rows = e.data.train.array();
  const double n = static_cast<double>(rows.type.elements());
  double entropy = 0;
  for (const uint8_t byte : rows.as<uint8_t>()) {
    const double x = byte / 255.0;
    if (byte > 0 && byte < 255) entropy -= x * std::log(x) + (1 - x) * std::log(1 - x);
  }
  double least = 0;
  if (likelihood == "bce") least = entropy / n;
  if (likelihood == "bernoulli") least = entropy / 32;
  if (likelihood == "gaussian") least = 784 * 0.5 * std::log(2 * std::numbers::pi);
  if (likelihood == "laplace") least = 784 * std::log(2.0);
  if (likelihood == "multinomial") least = shares_entropy(rows) / 32;
  EXPECT_LT(training.take_loss() - least, 0.2 * (first - least));
}
INSTANTIATE_TEST_SUITE_P(All, Overfits, testing::ValuesIn(built(Family::likelihood)),
                         [](const auto& info) { return info.param; });

class Optimizes : public testing::TestWithParam<std::string> {};

TEST_P(Optimizes, ASmallModel) {
  const std::string name = GetParam();
  // sgd has no rate by default; adadelta begins slowly.
  const std::string optimizer = name == "sgd"        ? "{sgd: 0.5, momentum: 0.9}"
                                : name == "adadelta" ? "{adadelta: 10}"
                                                     : name;
  const Experiment e =
      small_experiment(kSimple, cat("epochs: 1, batch_size: 16, optimizer: ", optimizer));
  Training training(e);
  const double before = loss_of(e, training.store);
  training.program.run(60);
  EXPECT_LT(loss_of(e, training.store), 0.75 * before);
}
INSTANTIATE_TEST_SUITE_P(All, Optimizes, testing::ValuesIn(built(Family::optimizer)),
                         [](const auto& info) { return info.param; });

/// The device of the build's GPU backend, "" without one.
std::string gpu() {
  if (gpu_count() == 0) return "";
  try {
    return open_device("simt")->name();
  } catch (const UserError&) {
    return "auto";
  }
}

double relative_difference(const HostTensor& a, const HostTensor& b) {
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < a.type.elements(); ++i) {
    const double x = a.as<float>()[i], y = b.as<float>()[i];
    difference += (x - y) * (x - y);
    norm += y * y;
  }
  return std::sqrt(difference / std::max(norm, 1e-30));
}

TEST(TrainingOnAGpu, OneStepIsThatOfTheCpu) {
  if (gpu().empty()) GTEST_SKIP() << "no GPU, or a build without a GPU backend";
  for (const std::string& model : {kSimple, kTied}) {
    // Without momentum and second moments a step is the gradient, whose small values count too.
    const Experiment e = small_experiment(
        model, "epochs: 1, batch_size: 8, optimizer: {sgd: 0.1}, clip: 1, ema: 0.5", 20);
    Training cpu(e), other(e, {}, gpu());
    for (Training* t : {&cpu, &other}) t->program.run();
    for (const std::string& name : cpu.store.names(Role::parameter))
      EXPECT_LE(relative_difference(other.store.read(name), cpu.store.read(name)), 1e-5) << name;
    EXPECT_NEAR(other.take_loss(), cpu.take_loss(), 1e-4);
    EXPECT_EQ(other.counter("step"), 1u);
  }
}

TEST(TrainingOnAGpu, LaunchesAsManyKernelsAsPlanned) {
  if (gpu().empty()) GTEST_SKIP() << "no GPU, or a build without a GPU backend";
  for (const auto& [model, most] : {std::pair{kSimple, 9}, {kDeep, 21}}) {
    const Experiment e = small_experiment(model, "epochs: 1, batch_size: 4", 20);
    Training training(e, {.capture = false}, gpu());
    training.program.run();
    EXPECT_EQ(training.program.launches(), training.program.plan().total().launches) << model;
    EXPECT_LE(training.program.launches(), most) << model;
  }
}

TEST(TrainingPlan, LaunchesOfAStep) {
  const auto launches = [](const std::string& model, const std::string& train) {
    const Experiment e = small_experiment(model, train);
    return Training(e).program.plan().total().launches;
  };
  // gather, 2 layers, loss with gradient, 3 products of the backward pass, bookkeeping, Adam.
  EXPECT_EQ(launches(kSimple, "epochs: 1, batch_size: 32"), 9);
  // Six layers: 6 forward, 11 backward.
  EXPECT_EQ(launches(kDeep, "epochs: 1, batch_size: 32"), 4 + 6 + 11);
  // Tied weights: the two gradients are added where the second is made.
  EXPECT_EQ(launches(kSimple + ", decoder: {mirror: tied}", "epochs: 1, batch_size: 32"), 9);
  // The closed form of one layer: row norms and the sum over units, and the gradients of both; what it sends into the
  // layer is added where the rest is made.
  EXPECT_EQ(launches("bottleneck: {dense: 9, activation: sigmoid}, likelihood: bce, "
                     "penalties: [{jacobian: 0.1}]",
                     "epochs: 1, batch_size: 32"),
            9 + 4);
  // All pairs of a batch's codes in one kernel, and in one for the gradient.
  const std::string vae =
      "encoder: [{dense: 9, activation: relu}], bottleneck: {gaussian: 4}, likelihood: bernoulli";
  const int plain = launches(vae, "epochs: 1, batch_size: 32");
  EXPECT_LE(
      launches(vae + ", penalties: [{kl: 1}, {total_correlation: 5}]", "epochs: 1, batch_size: 32"),
      plain + 3);
  EXPECT_LE(launches(vae + ", penalties: [{kl: 1}, {mmd: 5}]", "epochs: 1, batch_size: 32"),
            plain + 5);
  // A gradient norm and an average are one each.
  EXPECT_EQ(launches(kSimple, "epochs: 1, batch_size: 32, clip: 1, ema: 0.9"), 11);
}

/// The loss that a step adds to its sums, from the same rows (unshuffled: the first) and weights by other means.
TEST(Training, LoggedLossIsTheObjective) {
  const Experiment e =
      small_experiment(kTied, "epochs: 1, batch_size: 8, shuffle: false, optimizer: {sgd: 1.0e-3}");
  Training training(e);
  EXPECT_EQ(training.terms, (std::vector<std::string>{"nll", "weight_decay"}));
  Graph graph;
  Build build{.graph = graph, .taps = {}};
  const Var x = graph.variable({.name = "x",
                                .type = {DType::f32, {8, 28, 28, 1}},
                                .role = Role::constant,
                                .init = {},
                                .group = ""});
  const Forward f = forward(*e.model, build, x, x);
  Values leaves = training.values();
  HostTensor& rows = leaves["x"] = HostTensor(x.type());
  const auto bytes = e.data.train.array().as<uint8_t>();
  for (int64_t i = 0; i < x.type().elements(); ++i) rows.as<float>()[i] = bytes[i] / 255.0f;
  const auto values = interpret(graph, leaves, *open_device("cpu"),
                                std::vector{f.terms[0].value, f.terms[1].value});
  const auto nll = values[0].as<float>();
  const double mean = std::accumulate(nll.begin(), nll.end(), 0.0) / 8;
  const double decay = values[1].as<float>()[0];
  double squares = 0;
  for (const Parameter& p : e.model->parameters())
    if (!p.bias)
      for (const float w : leaves.at(p.name).as<float>()) squares += double(w) * w;
  EXPECT_NEAR(decay, 0.5 * squares, 1e-5 * squares);
  training.program.run();
  const HostTensor sums = training.store.read("sums");
  EXPECT_EQ(sums.as<double>()[0], 8);
  EXPECT_NEAR(sums.as<double>()[1] / 8, mean + 1e-4 * decay, 1e-5 * mean);
  EXPECT_NEAR(sums.as<double>()[2] / 8, mean, 1e-5 * mean);
  EXPECT_NEAR(sums.as<double>()[3] / 8, decay, 1e-5 * decay);
}

TEST(Training, EvaluationCountsEveryRowOnce) {
  const Experiment e = small_experiment(kSimple, "epochs: 1, batch_size: 16");
  Training training(e);
  const double whole = loss_of(e, training.store);
  Store store(open_device("cpu"));
  Program program(evaluation_graph(*e.model, split_source(e, "train"), 7), store);
  upload_split(e, "train", store);
  program.run(5);  // 7, 7, 7, 7, 4 rows
  const HostTensor sums = store.read("train.sums");
  EXPECT_EQ(sums.as<double>()[0], 32);
  EXPECT_NEAR(sums.as<double>()[1] / 32, whole, 1e-6 * whole);
}

/// The share of the variance about the mean, not about zero: predicting the mean explains nothing, the input itself all.
TEST(Training, ExplainedVarianceIsZeroForTheMeanAndOneForTheInput) {
  const Experiment e =
      small_experiment("bottleneck: {dense: 784}, likelihood: mse", "epochs: 1, batch_size: 8");
  Training training(e);
  const auto explained = [&](float diagonal, const std::vector<float>& bias) {
    for (const std::string& name : training.store.names(Role::parameter)) {
      HostTensor value(training.store.variable(name).type);
      const auto v = value.as<float>();
      if (value.type.rank() == 2)
        for (size_t i = 0; i < v.size(); i += 785) v[i] = diagonal;
      else if (name.starts_with("decoder"))
        std::ranges::copy(bias, v.begin());
      training.store.write(name, value);
    }
    const Metrics metrics =
        Evaluator(e, training.store, "train", false).run(e.config.at("evaluate").list());
    return std::ranges::find(metrics, "explained_variance", &Metrics::value_type::first)->second;
  };
  std::vector<float> mean(784);
  const HostTensor rows = training.store.read("data.train.0");
  for (size_t i = 0; i < rows.as<uint8_t>().size(); ++i)
    mean[i % 784] += static_cast<float>(rows.as<uint8_t>()[i]) / (255.0f * 32);
  EXPECT_NEAR(explained(0, mean), 0, 1e-5);
  EXPECT_LT(explained(0, std::vector<float>(784)), -0.1);  // predicting zero is worse than the mean
  EXPECT_NEAR(explained(1, std::vector<float>(784)), 1, 1e-6);
}

TEST(Training, ClipBoundsTheStep) {
  const auto moved = [](const char* clip) {
    const Experiment e = small_experiment(
        kSimple, cat("epochs: 1, batch_size: 32, optimizer: {sgd: 1}, clip: ", clip));
    Training training(e);
    const Values before = training.values();
    training.program.run();
    double squares = 0;
    for (const std::string& name : training.store.names(Role::parameter)) {
      const HostTensor after = training.store.read(name);
      for (int64_t i = 0; i < after.type.elements(); ++i)
        squares += std::pow(double(after.as<float>()[i]) - before.at(name).as<float>()[i], 2);
    }
    return std::sqrt(squares);
  };
  const double free = moved("none");
  EXPECT_GT(free, 1e-2);
  EXPECT_NEAR(moved("1.0e-3"), 1e-3, 1e-5);
  EXPECT_NEAR(moved("1000"), free, 1e-6 * free);
}

TEST(Training, AveragesFollowTheWeights) {
  const Experiment e =
      small_experiment(kSimple, "epochs: 1, batch_size: 32, optimizer: {adam: 0.01}, ema: 0.75");
  Training training(e);
  HostTensor average;
  for (int step = 0; step < 3; ++step) {
    training.program.run();
    const HostTensor now = training.store.read("bottleneck.weight");
    if (step == 0) average = now;  // the first weights
    for (int64_t i = 0; i < now.type.elements(); ++i) {
      float& a = average.as<float>()[i];
      a = 0.75f * a + 0.25f * now.as<float>()[i];
    }
  }
  EXPECT_LE(relative_difference(training.store.read("ema.bottleneck.weight"), average), 1e-6);
  EXPECT_NE(loss_of(e, training.store, true), loss_of(e, training.store, false));
}

TEST(Training, FrozenWeightsStay) {
  const Experiment e = small_experiment(
      "encoder: [{dense: 8, activation: tanh, freeze: true}], bottleneck: {dense: 4}, likelihood: "
      "bce",
      "epochs: 1, batch_size: 32");
  Training training(e);
  const Values before = training.values();
  training.program.run(3);
  EXPECT_EQ(training.store.read("encoder.0.weight"), before.at("encoder.0.weight"));
  EXPECT_NE(training.store.read("bottleneck.weight"), before.at("bottleneck.weight"));
}

TEST(Training, ANonFiniteLossLeavesTheLastGoodWeights) {
  const Experiment e = small_experiment("bottleneck: {dense: 8}, likelihood: mse",
                                        "epochs: 1, batch_size: 32, optimizer: {sgd: 1.0e9}");
  Training training(e);
  Values last;
  int64_t steps = 0;
  while (training.counter("latch") == 0 && steps < 50) {
    last = training.values();
    training.program.run();
    ++steps;
  }
  ASSERT_LT(steps, 50);
  EXPECT_EQ(training.counter("latch"), static_cast<uint64_t>(steps)) << "the step that failed";
  for (const std::string& name : training.store.names(Role::parameter)) {
    EXPECT_EQ(training.store.read(name), last.at(name)) << name;
    for (const float w : last.at(name).as<float>()) ASSERT_TRUE(std::isfinite(w)) << name;
  }
  const Values stopped = training.values();
  EXPECT_EQ(stopped.at("sums"), last.at("sums"));
  training.program.run(5);
  EXPECT_EQ(training.values(), stopped);
}

TEST(Training, ACheckedRunNamesTheOp) {
  const Experiment e = small_experiment("bottleneck: {dense: 8}, likelihood: mse",
                                        "epochs: 1, batch_size: 32, optimizer: {sgd: 1.0e9}");
  Training training(e, {.check = true});
  try {
    training.program.run(50);
    FAIL() << "no error";
  } catch (const NonFiniteError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("made a NaN or an infinity in step"), std::string::npos) << what;
    EXPECT_NE(what.find("("), std::string::npos) << "the layer: " << what;
    EXPECT_NE(what.find("f32["), std::string::npos) << "the types: " << what;
  }
}

TEST(Training, EveryRowComesOnceAnEpoch) {
  const Experiment e = small_experiment(kSimple, "epochs: 1, batch_size: 8");
  const SplitSource source = split_source(e, "train");
  for (const auto tail : {Gather::Tail::wrap, Gather::Tail::drop}) {
    for (const int64_t batch : {8, 5}) {
      // Rows numbered in f32: the batch says which came.
      Graph g;
      const auto leaf = [&](const char* name, Type type) {
        return g.variable(
            {.name = name, .type = type, .role = Role::state, .init = {}, .group = ""});
      };
      const Var step = leaf("step", {DType::u64, {1}});
      const Var x = apply(Gather{.batch = batch, .rows = 32, .rows_per_block = 32, .tail = tail},
                          {leaf("seed", {DType::u64, {1}}), step, leaf("shift", {DType::f32, {1}}),
                           leaf("scale", {DType::f32, {1}}), leaf("rows", {DType::f32, {32, 1}})});
      g.output("x", x);
      Store store(open_device("cpu"));
      Program program(g, store);
      HostTensor numbers(Type{DType::f32, {32, 1}}), scale(Type{DType::f32, {1}});
      std::iota(numbers.as<float>().begin(), numbers.as<float>().end(), 0.0f);
      scale.as<float>()[0] = 1;
      store.write("rows", numbers);
      store.write("scale", scale);
      std::vector<float> seen;
      for (uint64_t t = 0; t < 64; ++t) {
        HostTensor now(Type{DType::u64, {1}});
        now.as<uint64_t>()[0] = t;
        store.write("step", now);
        program.run();
        const HostTensor out = program.output("x");
        seen.insert(seen.end(), out.as<float>().begin(), out.as<float>().end());
      }
      const bool drops = tail == Gather::Tail::drop;
      const size_t epoch = drops ? 32 / batch * batch : 32;
      std::set<std::vector<float>> orders;
      for (size_t begin = 0; begin + epoch <= seen.size(); begin += epoch) {
        const std::vector<float> order(seen.begin() + begin, seen.begin() + begin + epoch);
        EXPECT_EQ(std::set<float>(order.begin(), order.end()).size(), epoch) << "none twice";
        orders.insert(order);
      }
      EXPECT_EQ(orders.size(), seen.size() / epoch) << "every epoch has its own order";
    }
  }
}

TEST(Training, StepsQueuedAtOnceAreStepsInTurn) {
  const Experiment e = small_experiment(kSimple, "epochs: 1, batch_size: 12");
  Training a(e), b(e);
  a.program.run(4);
  b.program.run(2);
  b.program.run(2);
  EXPECT_EQ(a.values(), b.values());
}

TEST(Training, DropTailTakesWholeBatchesAlone) {
  const Experiment wrap = small_experiment(kSimple, "epochs: 2, batch_size: 10"),
                   drop = small_experiment(kSimple, "epochs: 2, batch_size: 10, tail: drop");
  EXPECT_EQ(wrap.length.steps_per_epoch, 3.2);
  EXPECT_EQ(epochs_after(wrap.length, 0), 0);
  EXPECT_EQ(epochs_after(wrap.length, 3), 3 / 3.2);
  EXPECT_EQ(epochs_after(wrap.length, 4), 1) << "whose step reaches into the second";
  EXPECT_EQ(epochs_after(wrap.length, 5), 5 / 3.2);
  EXPECT_EQ(epochs_after(wrap.length, 16), 5);
  EXPECT_EQ(wrap.length.total_steps, 7);
  EXPECT_EQ(drop.length.steps_per_epoch, 3);
  EXPECT_EQ(drop.length.total_steps, 6);
}

TEST(Training, IsRepeatedToTheBit) {
  const Experiment e = small_experiment(kTied, "epochs: 1, batch_size: 10, clip: 0.5, ema: 0.9");
  Training a(e), b(e);
  a.program.run(7);
  b.program.run(7);
  EXPECT_EQ(a.values(), b.values());
}

TEST(Training, SchedulesActOnRateAndPenalty) {
  const std::string model =
      "bottleneck: {dense: 8}, likelihood: bce, penalties: [{weight_decay: 1, schedule: ";
  const auto after = [&](const std::string& schedule, const std::string& train) {
    const Experiment e = small_experiment(
        cat(model, schedule, "}]"), cat("epochs: 1, batch_size: 32, optimizer: {sgd: 0.1}", train));
    Training training(e);
    training.program.run(4);
    return training.store.read("bottleneck.weight");
  };
  const HostTensor plain = after("constant", "");
  EXPECT_NE(after("{linear: 100}", ""), plain);
  EXPECT_NE(after("constant", ", schedule: {step: 2}"), plain);
  EXPECT_EQ(after("{piecewise: [[0, 1]]}", ""), plain);
  EXPECT_EQ(after("constant", ", schedule: {step: 4}"), plain) << "the first four steps are whole";
  // A rate of 0 from the first step on leaves the weights where they were.
  const Experiment e = small_experiment(cat(model, "constant}]"), "epochs: 1, batch_size: 32");
  EXPECT_EQ(after("constant", ", schedule: {piecewise: [[0, 0]]}"),
            Training(e).store.read("bottleneck.weight"));
}

}  // namespace
}  // namespace latent
