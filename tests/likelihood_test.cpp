// Likelihoods in a model: what the output layer gives for them, what they learn, what unobserved elements do.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "core/graph/autodiff.h"
#include "kernels/ops.h"
#include "tests/data_files.h"
#include "tests/small_training.h"

namespace latent {
namespace {

const std::string kPerElement = "{gaussian: {variance: per_element}}";
const std::string kLearned = "{gaussian: {variance: learned}}";
const std::vector<std::string> kAll = {"bernoulli",
                                       "bce",
                                       "gaussian",
                                       "{gaussian: {reduction: mean, variance: 0.5}}",
                                       kLearned,
                                       kPerElement,
                                       "{gaussian: {variance: per_element, link: tanh}}",
                                       "laplace",
                                       "multinomial",
                                       "{multinomial: mean}",
                                       "mse",
                                       "mae"};

TEST(Likelihoods, SizeTheOutputLayer) {
  const std::string model = "encoder: [{dense: 5}], bottleneck: {dense: 3}, likelihood: ";
  for (const char* more : {"", ", decoder: [{dense: 4}]"}) {
    EXPECT_EQ(small_model(model + "mse" + more, {2, 3}).output_shape(), (Shape{2, 3}));
    const Model pairs = small_model(model + kPerElement + more, {2, 3});
    EXPECT_EQ(pairs.output_shape(), (Shape{2, 3, 2}));
    EXPECT_EQ(pairs.parameters().back().name, "decoder.1.bias");
    EXPECT_EQ(pairs.parameters().back().type.shape, (Shape{12}));
    EXPECT_EQ(pairs.table().back().shape, (Shape{2, 3, 2}));
  }
  const Model none = small_model(
      "bottleneck: {dense: 3}, decoder: [{dense: 12}], output: none, "
      "likelihood: " +
          kPerElement,
      {2, 3});
  EXPECT_EQ(none.output_shape(), (Shape{2, 3, 2}));
  Graph graph = view_graph(none, View::autoencoder, 4);
  EXPECT_EQ(graph.outputs()[0].second.shape(), (Shape{4, 2, 3})) << "means alone";
}

TEST(Likelihoods, WithSeveralValuesRefuseWhatGivesOne) {
  for (const char* tied : {"tied", "tied_at_start"})
    expect_user_error(
        [&] {
          small_model(cat("bottleneck: {dense: 3}, decoder: {mirror: ", tied,
                          "}, likelihood: ", kPerElement));
        },
        "tied", "wants 2");
  expect_user_error(
      [] {
        small_model("bottleneck: {dense: 3}, decoder: [{dense: 6}], output: none, likelihood: " +
                    kPerElement);
      },
      "output", "[12]");
}

TEST(Likelihoods, OfCountsRefuseNegativeData) {
  const Model model = small_model("bottleneck: {dense: 3}, likelihood: multinomial");
  model.likelihood().check_range(0, 12);
  expect_user_error([&] { model.likelihood().check_range(-1, 2); }, "multinomial", "data.scale");
}

TEST(Likelihoods, RefuseSettingsThatAreNone) {
  for (const char* wrong :
       {"{gaussian: {variance: 0}}", "{gaussian: {variance: -1}}", "{gaussian: {variance: some}}"})
    expect_user_error([&] { small_model(cat("bottleneck: {dense: 3}, likelihood: ", wrong)); },
                      "variance");
  expect_user_error(
      [] { small_model("bottleneck: {dense: 3}, likelihood: {laplace: {scale: 0}}"); }, "scale");
}

TEST(Likelihoods, ListTheirParameter) {
  const Model model = small_model("bottleneck: {dense: 3}, likelihood: " + kLearned);
  const Parameter logvar = model.parameters().back();
  EXPECT_EQ(logvar.name, "likelihood.logvar");
  EXPECT_TRUE(logvar.bias) << "not in weight_decay";
  EXPECT_EQ(model.table().back().part, "likelihood");
  EXPECT_EQ(model.table().back().parameters, 1);
}

/// Loss and gradients of a model on fixed rows, with the second row's first element as given.
std::vector<HostTensor> with_unobserved(const Model& model, float value, bool observed) {
  Graph graph;
  Build build{.graph = graph, .training = true, .taps = {}};
  Values leaves;
  std::mt19937_64 engine(3);
  const auto constant = [&](const std::string& name, HostTensor tensor) {
    leaves[name] = std::move(tensor);
    return graph.variable(
        {.name = name, .type = leaves[name].type, .role = Role::constant, .init = {}, .group = ""});
  };
  HostTensor rows(Type{DType::f32, {4, 6}}), weight(rows.type);
  draw(rows, engine, 0.05, 0.95);
  const Var x = constant("x", rows);
  std::ranges::fill(weight.as<float>(), 1.0f);
  if (!observed) weight.as<float>()[6] = 0;
  rows.as<float>()[6] = value;
  const Var target = constant("target", rows), w = constant("weight", weight);
  const Forward f = forward(model, build, x, target, nullptr, w);
  std::vector<Var> parameters;
  for (const Parameter& p : model.parameters()) {
    parameters.push_back(leaf(build, p));
    leaves[p.name] = HostTensor(p.type);
    draw(leaves[p.name], engine, -0.5, 0.5);
  }
  const Var loss = objective(f.terms);
  std::vector<Var> wanted = gradient(loss, parameters);
  wanted.insert(wanted.end(), {loss, f.terms[0].value});
  return interpret(graph, leaves, *open_device("cpu"), wanted);
}

TEST(Likelihoods, UnobservedElementsHaveNoInfluence) {
  for (const std::string& likelihood : kAll) {
    const Model model = small_model(
        "encoder: [{dense: 5, activation: tanh}], bottleneck: {dense: 3}, likelihood: " +
        likelihood);
    const auto zero = with_unobserved(model, 0, false);
    EXPECT_EQ(with_unobserved(model, 0.7f, false), zero) << likelihood;
    EXPECT_EQ(with_unobserved(model, std::nanf(""), false), zero) << likelihood;
    EXPECT_NE(with_unobserved(model, 0.7f, true), with_unobserved(model, 0.2f, true)) << likelihood;
  }
}

/// Under a mean the observed elements stand for the others: rows that are alike everywhere have one loss, however many
/// of their elements are observed.
TEST(Likelihoods, MeansAreOverObservedElements) {
  for (const char* likelihood : {"bce", "mse", "mae", "{gaussian: mean}", "{laplace: mean}"}) {
    Graph graph;
    Build build{.graph = graph, .taps = {}};
    const Model model = small_model(cat("bottleneck: {dense: 3}, likelihood: ", likelihood));
    const auto all = [&](float value) { return fill(graph, {DType::f32, {2, 6}}, value); };
    HostTensor mask(Type{DType::f32, {2, 6}});
    std::ranges::copy(std::vector<float>{1, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1, 0},
                      mask.as<float>().begin());
    const Var w = graph.variable(
        {.name = "w", .type = mask.type, .role = Role::constant, .init = {}, .group = ""});
    const Var rows = model.likelihood().rows(build, all(0.3f), all(0.6f), w),
              plain = model.likelihood().rows(build, all(0.3f), all(0.6f), {});
    const auto got = interpret(graph, {{"w", mask}}, *open_device("cpu"), std::vector{rows, plain});
    for (int r : {0, 1})
      EXPECT_FLOAT_EQ(got[0].as<float>()[r], got[1].as<float>()[r]) << likelihood;
  }
}

/// With everything else frozen, the variance that is learned is the mean squared error.
TEST(Likelihoods, LearnedVarianceIsTheMeanSquaredError) {
  const Experiment e = small_experiment(
      "encoder: [], bottleneck: {dense: 4, freeze: true}, output: {dense: {freeze: true}}, "
      "decoder: [], likelihood: " +
          kLearned,
      "epochs: 1, batch_size: 32, optimizer: {adam: 0.05}");
  Training training(e);
  training.program.run(400);
  const float logvar = training.store.read("likelihood.logvar").as<float>()[0];
  Store store(open_device("cpu"));
  std::vector<std::string> names;
  Program program(evaluation_graph(*e.model, split_source(e, "train"), 32, &names), store);
  upload_split(e, "train", store);
  for (const std::string& name : training.store.names(Role::parameter))
    store.write(name, training.store.read(name));
  program.run();
  const HostTensor sums = store.read("train.sums");
  const auto mse = static_cast<size_t>(std::ranges::find(names, "mse") - names.begin());
  EXPECT_NEAR(std::exp(logvar) / (sums.as<double>()[2 + mse] / 32), 1, 0.02);
}

/// Noise that differs from element to element is found: each log-variance is that of its noise.
TEST(Likelihoods, PerElementVarianceIsThatOfTheNoise) {
  const TemporaryFolder folder;
  const double sigma[] = {0.1, 0.5, 1, 2};
  std::mt19937_64 engine(5);
  std::normal_distribution<double> normal;
  {
    std::ofstream file(folder / "noise.csv");
    file << "a,b,c,d\n";
    for (int r = 0; r < 2000; ++r)
      for (int c = 0; c < 4; ++c) file << sigma[c] * normal(engine) << (c < 3 ? "," : "\n");
  }
  // The code says nothing, so that what the output layer learns are its biases.
  const std::string text =
      cat("data: {source: csv, path: ", (folder / "noise.csv").string(),
          ", scale: none, train: 2000, validation: none, test: none}\n"
          "model: {bottleneck: {dense: 1, init: zeros, freeze: true}, likelihood: ",
          kPerElement, "}\ntrain: {epochs: 1, batch_size: 2000, optimizer: {adam: 0.02}}\n");
  const Experiment e = make_experiment(resolve_config(parse_yaml(text, "test.yaml"), "test"));
  Training training(e);
  training.program.run(500);
  const HostTensor bias = training.store.read("decoder.0.bias");
  for (int c = 0; c < 4; ++c) {
    EXPECT_NEAR(bias.as<float>()[2 * c], 0, 0.1 * sigma[c]) << c;
    EXPECT_NEAR(bias.as<float>()[2 * c + 1], 2 * std::log(sigma[c]), 0.1) << c;
  }
}

}  // namespace
}  // namespace latent
