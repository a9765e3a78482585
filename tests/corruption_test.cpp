// Corruption, pairs and missing cells in training and evaluation: what the encoder is given, what the output is compared
// with, and what counts.
#include "models/corruption.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/config/describe.h"
#include "core/config/dotted.h"
#include "core/data/rows_file.h"
#include "experiments/evaluator.h"
#include "kernels/ops.h"
#include "tests/data_files.h"
#include "tests/small_training.h"

namespace latent {
namespace {

const std::string kPlain = "bottleneck: {dense: 8, activation: relu}, likelihood: bce";
std::string corrupted(const std::string& corruption, const std::string& model = kPlain) {
  return cat(model, ", corruption: ", corruption);
}
std::vector<float> floats(const HostTensor& t) {
  return {t.as<float>().begin(), t.as<float>().end()};
}
double number(const Metrics& metrics, const std::string& name) {
  const auto found = std::ranges::find(metrics, name, &Metrics::value_type::first);
  if (found == metrics.end()) throw std::logic_error("no metric " + name);
  return found->second;
}
Metrics evaluate(const Experiment& e, Store& store, const std::string& split = "train") {
  return Evaluator(e, store, split, false).run(e.config.at("evaluate").list());
}

const char* const kEvery[] = {"{masking: 0.3}",
                              "{gaussian: 0.4, clip: [0, 1]}",
                              "{salt_and_pepper: 0.2}",
                              "{dropout: 0.5}",
                              "[{masking: 0.2}, {gaussian: 0.1}]",
                              "{masking: {rate: 0.3, emphasis: [2, 0.5]}}",
                              "{masking: 0.3, schedule: {linear: 10}}"};

class Corrupted : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, Corrupted, testing::ValuesIn(kEvery), [](const auto& info) {
  std::string name;
  for (const char c : std::string(info.param))
    if (std::isalnum(static_cast<unsigned char>(c)))
      name += c;
    else if (!name.empty() && name.back() != '_')
      name += '_';
  return name;
});

/// Two steps and then two are four at once; another program that begins where the first stopped goes on in the same way.
TEST_P(Corrupted, ResumesExactly) {
  const Experiment e = small_experiment(corrupted(GetParam()), "epochs: 1, batch_size: 12");
  Training whole(e), first(e), second(e);
  whole.program.run(4);
  first.program.run(2);
  for (const auto& [name, value] : first.values()) second.store.write(name, value);
  second.program.run(2);
  EXPECT_EQ(whole.values(), second.values());
}

/// Weights of elements cost one launch under `reduction: mean`: what is unobserved is left out of the means.
TEST_P(Corrupted, LearnsWithoutALaunchMore) {
  const Experiment e = small_experiment(corrupted(GetParam()),
                                        "epochs: 1, batch_size: 32, optimizer: {adam: 0.003}"),
                   plain = small_experiment(kPlain, "epochs: 1, batch_size: 32");
  Training training(e);
  const bool weighs = std::string(GetParam()).find("emphasis") != std::string::npos;
  EXPECT_EQ(training.program.plan().total().launches,
            Training(plain).program.plan().total().launches + weighs);
  const double before = number(evaluate(e, training.store), "bce");
  training.program.run(200);
  EXPECT_LT(number(evaluate(e, training.store), "bce"), 0.7 * before);
}

TEST_P(Corrupted, EvaluationDrawsOnceAndMetricsNever) {
  const Experiment e = small_experiment(corrupted(GetParam()), "epochs: 1, batch_size: 12"),
                   plain = small_experiment(kPlain, "epochs: 1, batch_size: 12");
  Training noisy(e), clean(plain);
  const Metrics a = evaluate(e, noisy.store), b = evaluate(e, noisy.store),
                c = evaluate(plain, clean.store);
  EXPECT_EQ(a, b);
  EXPECT_NE(number(a, "loss"), number(c, "loss"));
  EXPECT_NE(number(a, "objective.nll"), number(a, "nll"));
  for (const char* name :
       {"nll", "bce", "mse", "sse", "mae", "code_mean", "l0", "explained_variance"})
    EXPECT_EQ(number(a, name), number(c, name)) << name;
  // Weights that training has moved: metrics alone follow.
  noisy.program.run(3);
  EXPECT_NE(number(evaluate(e, noisy.store), "bce"), number(a, "bce"));
}

TEST(Corruption, BatchIsWhatTheGatherDraws) {
  const Experiment e =
      small_experiment(corrupted("[{masking: 0.25}, {gaussian: {std: 0.5, clip: [0, 1]}}]"),
                       "epochs: 1, batch_size: 32", 40, ", split: ordered");
  Graph graph;
  Build build{.graph = graph, .training = true, .taps = {}};
  build.step = graph.variable(
      {.name = "step", .type = {DType::u64, {1}}, .role = Role::state, .init = {}, .group = ""});
  build.seed = graph.variable({.name = names::kSeed,
                               .type = {DType::u64, {1}},
                               .role = Role::constant,
                               .init = {},
                               .group = ""});
  const SplitSource source = split_source(e, "train");
  const Batch batch = gather_batch(build, *e.model, source, {.batch = 32, .shuffle = false});
  EXPECT_EQ(batch.target, batch.clean);
  EXPECT_FALSE(batch.weight);
  graph.output("input", batch.input);
  graph.output("clean", batch.clean);
  Store store(open_device("cpu"));
  Program program(graph, store);
  upload_split(e, "train", store);
  program.run();
  const std::vector<float> input = floats(program.output("input")),
                           clean = floats(program.output("clean"));
  for (uint64_t i = 0; i < input.size(); ++i) {
    const float grey = e.data.train.array().as<uint8_t>()[i] * e.data.scale.as<float>()[0];
    ASSERT_EQ(clean[i], grey);
    const float masked = uniform(0, 0, stream_of("corruption"), i) < 0.25f ? 0 : grey;
    const float noise = normal(0, 0, stream_of("corruption.1"), i);
    ASSERT_EQ(input[i], std::clamp(masked + 0.5f * noise, 0.0f, 1.0f));
  }
}

/// alpha times the loss of struck elements and beta times that of the others (Vincent et al. 2010, section 3.3), by hand.
TEST(Corruption, EmphasisIsAWeightedSum) {
  const std::string model = "bottleneck: {dense: 8}, likelihood: mse";
  const auto loss = [&](const std::string& emphasis) {
    const Experiment e =
        small_experiment(corrupted(cat("{masking: {rate: 0.4, emphasis: ", emphasis, "}}"), model),
                         "epochs: 1, batch_size: 32");
    Training training(e);
    training.program.run();
    return training.take_loss();
  };
  const double all = loss("[1, 1]"), struck = loss("[1, 0]"), spared = loss("[0, 1]");
  EXPECT_GT(struck, 0);
  EXPECT_NEAR(struck + spared, all, 1e-6 * all);
  EXPECT_NEAR(loss("[3, 0.5]"), 3 * struck + 0.5 * spared, 1e-6 * all);
}

TEST(Corruption, SaltAndPepperAreTheEndsOfTheData) {
  const Experiment unit = small_experiment(corrupted("{salt_and_pepper: 0.5}"),
                                           "epochs: 1, batch_size: 4"),
                   standard = small_experiment(corrupted("{salt_and_pepper: 0.5}",
                                                         "bottleneck: {dense: 4}, likelihood: mse"),
                                               "epochs: 1, batch_size: 4", 40, ", scale: standard");
  EXPECT_EQ(split_source(unit, "train").lo, 0);
  EXPECT_EQ(split_source(unit, "train").hi, 1);
  EXPECT_EQ(split_source(standard, "train").lo, static_cast<float>(standard.data.range.lo));
  EXPECT_EQ(split_source(standard, "train").hi, static_cast<float>(standard.data.range.hi));
}

TEST(Corruption, AnMseObjectiveAndTheMetricAreTwoNumbers) {
  const Experiment e =
      small_experiment(corrupted("{gaussian: 0.5}", "bottleneck: {dense: 8}, likelihood: mse"),
                       "epochs: 1, batch_size: 4");
  Training training(e);
  const Metrics metrics = evaluate(e, training.store);
  EXPECT_EQ(number(metrics, "objective.mse"), number(metrics, "loss"));
  EXPECT_NE(number(metrics, "mse"), number(metrics, "loss"));
  EXPECT_NEAR(number(metrics, "mse"), number(metrics, "sse") / 784, 1e-9);
}

TEST(Corruption, IsListedWithItsOptions) {
  const std::string text = describe_parts();
  for (const char* part :
       {"masking", "gaussian", "salt_and_pepper", "dropout", "emphasis", "clip", "schedule"})
    EXPECT_NE(text.find(part, text.find("\ncorruption\n")), std::string::npos) << part;
}

TEST(Corruption, WrongOptionsAreRefused) {
  const auto refused = [](const std::string& corruption, const std::string& part) {
    expect_user_error([&] { small_experiment(corrupted(corruption), "epochs: 1, batch_size: 4"); },
                      "corruption", part);
  };
  refused("{gaussian: {std: 0.1, clip: [1, 0]}}", "is [1, 0]: the first must be the smaller one");
  refused("{masking: 1}", "in [0, 1)");
  refused("{masking: -0.1}", "in [0, 1)");
  refused("{dropout: 1.5}", "in [0, 1)");
  refused("{gaussian: -1}", ">= 0");
  refused("masking", "rate");
  refused("{maskng: 0.1}", "masking");
  refused("[{masking: 0.1}, {dropout: 2}]", "in [0, 1)");
  refused("[{masking: 0.1}, {masking: 0.1}, {masking: 0.1}, {masking: 0.1}, {masking: 0.1}]",
          "at most 4");
  refused("{masking: {rate: 0.1, emphasis: [1, -1]}}", "emphasis");
}

TEST(Corruption, PathsReachIt) {
  const auto at = [](const std::string& before, const std::string& path, const Value& value) {
    Value config = resolved(corrupted(before));
    set_path(config, path, value, {"--set"});
    Graph graph;
    return make_corruptions(resolve_config(config, "test").at("model").at("corruption"),
                            Build{.graph = graph, .taps = {}}, 0, 1);
  };
  EXPECT_EQ(at("none", "model.corruption.masking", Value(0.25)).at(0).amount, 0.25f);
  EXPECT_EQ(at("{masking: 0.5}", "model.corruption.masking", Value(0.25)).at(0).amount, 0.25f);
  EXPECT_EQ(at("{masking: 0.5}", "model.corruption.gaussian", Value(0.25)).at(0).kind,
            Corruption::Kind::gaussian);
  EXPECT_TRUE(at("{masking: 0.5}", "model.corruption", Value("none")).empty());
  const auto list = at("[{masking: 0.5}, {gaussian: 1}]", "model.corruption.gaussian", Value(0.25));
  EXPECT_EQ(list.at(1).amount, 0.25f);
  EXPECT_EQ(list.at(0).amount, 0.5f);
}

// ---- Pairs and missing cells ---------------------------------------------------------------------------------------

/// An experiment on arrays in a folder.
class ArraysTest : public testing::Test {
 protected:
  TemporaryFolder folder;

  std::string file(const std::string& name, const HostTensor& rows) {
    write_rows(folder / name, rows);
    return (folder / name).string();
  }
  Experiment make(const std::string& data, const std::string& model, const std::string& train,
                  const std::string& evaluate = "[reconstruction]") {
    const std::string text =
        cat("data: {source: npy, validation: none, test: train, ", data, "}\nmodel: {", model,
            "}\ntrain: {", train, "}\nevaluate: ", evaluate, "\n");
    return make_experiment(resolve_config(parse_yaml(text, "test.yaml"), "test"));
  }
  /// Rows of low rank in [0, 1].
  static HostTensor smooth(int64_t rows, int64_t cols) {
    HostTensor t(Type{DType::f32, {rows, cols}});
    for (int64_t i = 0; i < rows * cols; ++i)
      t.as<float>()[i] = 0.5f + 0.4f * std::sin(0.7f * static_cast<float>(i / cols) +
                                                0.3f * static_cast<float>(i % cols));
    return t;
  }
  static HostTensor with(HostTensor t, std::vector<int64_t> places, float value) {
    for (const int64_t p : places) t.as<float>()[p] = value;
    return t;
  }
};

TEST_F(ArraysTest, PairsTrain) {
  const HostTensor clean = smooth(64, 12);
  HostTensor noisy = clean;
  for (int64_t i = 0; i < noisy.type.elements(); ++i)
    noisy.as<float>()[i] += 0.2f * normal(5, 0, stream_of("noise"), static_cast<uint64_t>(i));
  const std::string data = cat("path: ", file("noisy.npy", noisy),
                               ", target: ", file("clean.npy", clean), ", scale: none");
  const std::string model =
                        "encoder: [{dense: 24, activation: tanh}], bottleneck: {dense: 4}, "
                        "likelihood: mse",
                    train = "epochs: 1, batch_size: 32, optimizer: {adam: 0.01}";
  const Experiment pairs = make(data, model, train),
                   masked = make(data, corrupted("{masking: 0.1}", model), train);
  for (const Experiment* e : {&pairs, &masked}) {
    Training training(*e);
    training.program.run(600);
    // Compared with the clean rows, of which the input is 0.04 away.
    EXPECT_LT(number(evaluate(*e, training.store, "test"), "mse"), 0.01);
  }
  // The loss of the first step by hand: everything is compared with the target.
  Training training(pairs);
  const Metrics before = evaluate(pairs, training.store, "test");
  const Experiment swapped =
      make(cat("path: ", file("noisy2.npy", noisy), ", scale: none"), model, train);
  EXPECT_NE(number(before, "mse"), number(evaluate(swapped, training.store, "test"), "mse"));
}

TEST_F(ArraysTest, TargetsOfAnotherShapeShapeTheOutput) {
  const HostTensor rows = smooth(40, 12);
  HostTensor sums(Type{DType::f32, {40, 2}});
  for (int64_t r = 0; r < 40; ++r)
    for (int64_t c = 0; c < 12; ++c)
      sums.as<float>()[2 * r + c % 2] += rows.as<float>()[12 * r + c];
  const Experiment e = make(
      cat("path: ", file("x.npy", rows), ", target: ", file("y.npy", sums), ", scale: standard"),
      "encoder: [{dense: 16, activation: tanh}], bottleneck: {dense: 4}, "
      "likelihood: mse",
      "epochs: 1, batch_size: 20, optimizer: {adam: 0.01}");
  EXPECT_EQ(e.model->target_shape(), (Shape{2}));
  EXPECT_EQ(e.model->row_shape(), (Shape{12}));
  Training training(e);
  const double before = number(evaluate(e, training.store, "test"), "mse");
  training.program.run(400);
  EXPECT_LT(number(evaluate(e, training.store, "test"), "mse"), 0.1 * before);
  expect_user_error(
      [&] {
        make(cat("path: ", file("x.npy", rows), ", target: ", file("y.npy", sums)),
             corrupted("{masking: {rate: 0.1, emphasis: [1, 0]}}",
                       "bottleneck: {dense: 4}, likelihood: mse"),
             "epochs: 1, batch_size: 20");
      },
      "model.corruption.emphasis", "data.target's are [2]");
}

/// Whatever the cells would have held: they are the same nobody knows.
TEST_F(ArraysTest, MissingCellsHaveNoInfluence) {
  const HostTensor rows = smooth(32, 12);
  const std::vector<int64_t> places{0, 17, 100, 101, 102, 383};
  const std::string data = ", missing: mask, scale: none",
                    model = "bottleneck: {dense: 6}, likelihood: bernoulli",
                    train = "epochs: 1, batch_size: 16, optimizer: {adam: 0.01}";
  const auto trained = [&](const std::string& name, const HostTensor& x,
                           const std::string& corruption = "none") {
    const Experiment e =
        make(cat("path: ", file(name, x), data), corrupted(corruption, model), train);
    Training training(e);
    training.program.run(20);
    return std::pair{training.values(), evaluate(e, training.store, "test")};
  };
  const auto missing = trained("a.npy", with(rows, places, NAN));
  // A zero in the input is what such a cell is; the loss of it must not be counted.
  EXPECT_NE(trained("b.npy", with(rows, places, 0)).second, missing.second);
  // Bits of a NaN do not matter, noise on it neither.
  const float other = math::float_of(0x7fc12345u);
  for (const char* corruption :
       {"none", "{gaussian: 0.1}", "{masking: {rate: 0.3, emphasis: [2, 1]}}"}) {
    auto [values, metrics] = trained("c.npy", with(rows, places, NAN), corruption);
    auto [same_values, same_metrics] = trained("d.npy", with(rows, places, other), corruption);
    for (auto* v : {&values, &same_values}) v->erase("data.train.0");
    EXPECT_EQ(values, same_values) << corruption;
    EXPECT_EQ(metrics, same_metrics) << corruption;
  }
}

TEST_F(ArraysTest, MetricsAreThoseOfKnownCells) {
  const HostTensor rows = smooth(32, 12);
  const std::vector<int64_t> places{0, 17, 100, 101, 102, 383};
  const Experiment e =
      make(cat("path: ", file("a.npy", with(rows, places, NAN)), ", missing: mask, scale: none"),
           "bottleneck: {dense: 6}, likelihood: bce", "epochs: 1, batch_size: 16");
  Training training(e);
  const Metrics metrics = evaluate(e, training.store, "test");
  // The model's own reconstruction, from its view.
  Store& store = training.store;
  Program view(view_graph(*e.model, View::autoencoder, 32), store);
  store.write("input", with(rows, places, 0));
  view.run();
  const std::vector<float> y = floats(view.output("result"));
  double bce = 0, squared = 0, absolute = 0, known = 0;
  for (int64_t i = 0; i < 32 * 12; ++i) {
    if (std::ranges::count(places, i)) continue;
    const double x = rows.as<float>()[i], p = y[static_cast<size_t>(i)];
    bce -= x * std::log(p) + (1 - x) * std::log(1 - p);
    squared += (x - p) * (x - p);
    absolute += std::abs(x - p);
    ++known;
  }
  EXPECT_EQ(known, 378);
  EXPECT_NEAR(number(metrics, "bce"), bce / known, 1e-5);
  EXPECT_NEAR(number(metrics, "mse"), squared / known, 1e-6);
  EXPECT_NEAR(number(metrics, "mae"), absolute / known, 1e-6);
  EXPECT_NEAR(number(metrics, "sse"), squared / 32, 1e-5);
  EXPECT_NEAR(number(metrics, "explained_variance"),
              1 - squared / statistics_of(e.data, "test").sum_of_squares, 1e-5);
  EXPECT_TRUE(std::ranges::find(metrics, "known", &Metrics::value_type::first) == metrics.end());
  expect_user_error(
      [&] {
        make(cat("path: ", file("a.npy", with(rows, places, NAN)), ", missing: mask"),
             "bottleneck: {dense: 6}, likelihood: mse", "epochs: 1, batch_size: 16",
             "[reconstruction, pca]");
      },
      "pca: takes whole rows");
}

TEST_F(ArraysTest, MissingTargetsCountNothing) {
  const HostTensor rows = smooth(32, 12);
  const std::vector<int64_t> places{3, 40, 200};
  const std::string model = "bottleneck: {dense: 6}, likelihood: mse";
  const auto first_loss = [&](const std::string& corruption) {
    const Experiment e = make(
        cat("path: ", file("x.npy", rows), ", target: ", file("y.npy", with(rows, places, NAN)),
            ", missing: mask, scale: none"),
        corrupted(corruption, model), "epochs: 1, batch_size: 32");
    Training training(e);
    training.program.run();
    return training.take_loss();
  };
  EXPECT_TRUE(std::isfinite(first_loss("none")));
  EXPECT_NEAR(first_loss("{masking: {rate: 0.3, emphasis: [1, 0]}}") +
                  first_loss("{masking: {rate: 0.3, emphasis: [0, 1]}}"),
              first_loss("{masking: 0.3}"), 1e-6);
}

}  // namespace
}  // namespace latent
