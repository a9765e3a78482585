// Recurrent layers: their values against loops written from the equations, their mirrors, and what is refused.
#include "models/recurrent.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/ops.h"
#include "kernels/structural/structural.h"
#include "tests/data_files.h"
#include "tests/small_training.h"

namespace latent {
namespace {

using Names = std::vector<std::string>;
using Numbers = std::vector<double>;

constexpr int64_t kRows = 3, kSteps = 4, kChannels = 2, kUnits = 3;

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

/// A layer on drawn rows in f64, with drawn weights.
struct LayerRun {
  Graph graph;
  Values leaves;
  Var y;
  std::unique_ptr<Layer> layer;

  LayerRun(const std::string& yaml, const Shape& row) {
    const Value config =
        resolved(cat("encoder: [", yaml, "], bottleneck: {dense: 2}, likelihood: mse, decoder: []"))
            .at("model");
    const LayerContext context{
        .path = "encoder.0", .in = row, .seed = 7, .init = &config.at("init")};
    layer = make_layer(as_choice(config.at("encoder").list().front()), context);
    Shape shape{kRows};
    shape.insert(shape.end(), row.begin(), row.end());
    const Type type{DType::f64, shape};
    draw_leaf("x", type);
    const Var x = graph.variable(
        {.name = "x", .type = type, .role = Role::constant, .init = {}, .group = ""});
    Build build{.graph = graph, .real = DType::f64, .taps = {}};
    y = layer->apply(build, x);
    for (const Parameter& p : layer->parameters()) draw_leaf(p.name, leaf(build, p).type());
  }

  void draw_leaf(const std::string& name, const Type& type) {
    HostTensor value(type);
    draw(value, engine_, -1, 1);
    leaves[name] = value;
  }
  Numbers values(const std::string& name) const {
    const auto v = leaves.at(name).as<double>();
    return {v.begin(), v.end()};
  }
  Numbers result() const {
    const HostTensor t = interpret(graph, leaves, *open_device("cpu"), std::vector{y})[0];
    const auto v = t.as<double>();
    return {v.begin(), v.end()};
  }

 private:
  std::mt19937_64 engine_{3};
};

/// v W' + b of one vector, W [out, in].
Numbers product(const Numbers& w, const Numbers& b, const double* v, int64_t in) {
  Numbers out = b;
  for (size_t o = 0; o < out.size(); ++o)
    for (int64_t i = 0; i < in; ++i) out[o] += w[o * in + i] * v[i];
  return out;
}

/// h of every step of one row, from PyTorch's equations and weights.
std::vector<Numbers> loop(const std::string& kind, const LayerRun& run, const double* row,
                          int64_t steps, int64_t channels, bool backwards, bool bias = true) {
  const Numbers w_ih = run.values("encoder.0.weight_ih_l0"),
                w_hh = run.values("encoder.0.weight_hh_l0");
  const size_t wide = w_hh.size() / kUnits;
  const Numbers b_ih = bias ? run.values("encoder.0.bias_ih_l0") : Numbers(wide),
                b_hh = bias ? run.values("encoder.0.bias_hh_l0") : Numbers(wide);
  Numbers h(kUnits), c(kUnits);
  std::vector<Numbers> all(steps);
  for (int64_t s = 0; s < steps; ++s) {
    const int64_t t = backwards ? steps - 1 - s : s;
    const Numbers x = product(w_ih, b_ih, row + t * channels, channels),
                  a = product(w_hh, b_hh, h.data(), kUnits);
    for (int64_t j = 0; j < kUnits; ++j) {
      const auto gate = [&](int k) { return x[k * kUnits + j] + a[k * kUnits + j]; };
      if (kind == "rnn") {
        h[j] = std::tanh(gate(0));
      } else if (kind == "lstm") {
        c[j] = logistic(gate(1)) * c[j] + logistic(gate(0)) * std::tanh(gate(2));
        h[j] = logistic(gate(3)) * std::tanh(c[j]);
      } else {
        const double r = logistic(gate(0)), z = logistic(gate(1));
        const double n = std::tanh(x[2 * kUnits + j] + r * a[2 * kUnits + j]);
        h[j] = (1 - z) * n + z * h[j];
      }
    }
    all[t] = h;
  }
  return all;
}

class RecurrentLayer : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, RecurrentLayer, testing::Values("lstm", "gru", "rnn"));

TEST_P(RecurrentLayer, IsTheLoopOverItsSteps) {
  const Shape row{kSteps, kChannels};
  for (const bool backwards : {false, true})
    for (const bool last : {false, true})
      for (const bool bias : {false, true}) {
        const LayerRun run(cat("{", GetParam(), ": {units: ", kUnits, ", output: ",
                               last ? "last" : "all", ", reverse: ", backwards ? "true" : "false",
                               ", bias: ", bias ? "true" : "false", "}}"),
                           row);
        EXPECT_EQ(run.layer->output_shape(), (last ? Shape{kUnits} : Shape{kSteps, kUnits}));
        const Numbers got = run.result(), x = run.values("x");
        Numbers want;
        for (int64_t r = 0; r < kRows; ++r) {
          const auto h = loop(GetParam(), run, x.data() + r * kSteps * kChannels, kSteps, kChannels,
                              backwards, bias);
          if (last)
            want.insert(want.end(), h[backwards ? 0 : kSteps - 1].begin(),
                        h[backwards ? 0 : kSteps - 1].end());
          else
            for (const Numbers& step : h) want.insert(want.end(), step.begin(), step.end());
        }
        ASSERT_EQ(got.size(), want.size());
        for (size_t i = 0; i < got.size(); ++i)
          EXPECT_NEAR(got[i], want[i], 1e-13) << "last " << last << " backwards " << backwards;
      }
}

TEST_P(RecurrentLayer, ParametersAreNamedAndShapedAsInPyTorch) {
  const LayerRun run(cat("{", GetParam(), ": {units: 3}}"), {kSteps, kChannels});
  const int64_t wide = 3 * (GetParam() == "lstm" ? 4 : GetParam() == "gru" ? 3 : 1);
  std::vector<std::pair<std::string, Shape>> got;
  for (const Parameter& p : run.layer->parameters()) {
    got.emplace_back(p.name, p.type.shape);
    EXPECT_EQ(p.bias, p.type.rank() == 1);
  }
  EXPECT_EQ(got, (std::vector<std::pair<std::string, Shape>>{{"encoder.0.weight_ih_l0", {wide, 2}},
                                                             {"encoder.0.weight_hh_l0", {wide, 3}},
                                                             {"encoder.0.bias_ih_l0", {wide}},
                                                             {"encoder.0.bias_hh_l0", {wide}}}));
}

/// Greatest absolute initial value by parameter.
std::map<std::string, double> bounds(const std::string& options) {
  const LayerRun run(cat("{lstm: {units: 400, ", options, "}}"), {kSteps, kChannels});
  std::map<std::string, double> result;
  for (const Parameter& p : run.layer->parameters()) {
    HostTensor value(p.type);
    if (p.init) p.init(value);
    double bound = 0;
    for (const float v : value.as<float>()) bound = std::max<double>(bound, std::abs(v));
    result[p.name.substr(10)] = bound;
  }
  return result;
}

TEST(Recurrent, InitialValuesSeeTheFansOfOneGate) {
  auto b = bounds("bias_init: 1");
  EXPECT_NEAR(b["weight_ih_l0"], std::sqrt(6.0 / 402), 1e-3);
  EXPECT_NEAR(b["weight_hh_l0"], std::sqrt(6.0 / 800), 1e-3);
  EXPECT_EQ(b["bias_ih_l0"], 1);
  EXPECT_EQ(b["bias_hh_l0"], 0);
  b = bounds("init: pytorch");
  for (const char* name : {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"})
    EXPECT_NEAR(b[name], 1 / std::sqrt(400.0), 1e-3) << name;
}

TEST(Recurrent, ARepeatedVectorIsProjectedOnce) {
  const Model m = small_model(
      "encoder: [{lstm: 3}], bottleneck: {dense: 2}, decoder: [{repeat: 4}, {gru: {units: 5, "
      "output: all, reverse: true}}], likelihood: mse",
      {4, 2});
  const Problem p(m, 3, DType::f64);
  int64_t largest = 0;
  for (const Node& node : p.graph.nodes())
    if (node.label == "decoder.1" && node.op && node.op.name() == "linear")
      largest = std::max(largest, node.types[0].shape[0]);
  EXPECT_EQ(largest, 3);  // rows, not rows * steps

  // And is what it is when every step is projected.
  const LayerRun once("{repeat: 4}", {2});
  EXPECT_EQ(once.layer->output_shape(), (Shape{4, 2}));
  const Numbers x = once.values("x"), y = once.result();
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t t = 0; t < 4; ++t)
      for (int64_t c = 0; c < 2; ++c) EXPECT_EQ(y[(r * 4 + t) * 2 + c], x[r * 2 + c]);
}

Names descriptions(const Model& model) {
  Names result;
  for (const LayerRow& row : model.table())
    result.push_back(cat(row.name, ": ", row.kind, " ", to_string(row.shape)));
  return result;
}

Names weights(const Model& model) {
  Names result;
  for (const Parameter& p : model.parameters())
    if (!p.bias) result.push_back(cat(p.name, " ", to_string(p.type.shape)));
  return result;
}

TEST(RecurrentMirror, IsRepeatAndTheSameLayerThenADenseLayerAtEachStep) {
  const Model m =
      small_model("encoder: [{lstm: 5}], bottleneck: identity, likelihood: mse", {4, 2});
  EXPECT_EQ(descriptions(m), (Names{"input: data [4, 2]", "encoder.0: lstm, last step [5]",
                                    "decoder.0: repeat [4, 5]", "decoder.1: lstm [4, 5]",
                                    "output: dense per step [4, 2]"}));
  EXPECT_EQ(weights(m), (Names{"encoder.0.weight_ih_l0 [20, 2]", "encoder.0.weight_hh_l0 [20, 5]",
                               "decoder.1.weight_ih_l0 [20, 5]", "decoder.1.weight_hh_l0 [20, 5]",
                               "decoder.2.weight [2, 5]"}));
}

TEST(RecurrentMirror, OfAStackBehindABottleneckReversed) {
  const Model m = small_model(
      "encoder: [{gru: {units: 6, output: all}}, {rnn: 5}], bottleneck: {dense: 3, activation: "
      "tanh}, likelihood: mse, decoder: {mirror: untied, reverse: true}",
      {4, 2});
  EXPECT_EQ(descriptions(m),
            (Names{"input: data [4, 2]", "encoder.0: gru [4, 6]", "encoder.1: rnn, last step [5]",
                   "code: dense, tanh [3]", "decoder.0: dense [5]", "decoder.1: repeat [4, 5]",
                   "decoder.2: rnn, reversed [4, 5]", "decoder.3: gru, reversed [4, 6]",
                   "output: dense per step [4, 2]"}));
}

TEST(RecurrentMirror, ASeriesAsCodeNeedsNoRepeat) {
  const Model m = small_model(
      "encoder: [{lstm: {units: 3, output: all}}], bottleneck: {dense: 2}, likelihood: mse",
      {4, 2});
  EXPECT_EQ(descriptions(m), (Names{"input: data [4, 2]", "encoder.0: lstm [4, 3]",
                                    "code: dense [2]", "decoder.0: dense [4, 3]",
                                    "decoder.1: lstm [4, 3]", "output: dense per step [4, 2]"}));
}

/// reverse: what is made last is the first step, so it lines up with the target.
TEST(RecurrentMirror, AReversedDecoderMakesTheFirstStepLast) {
  const Model m = small_model(
      "encoder: [{rnn: 3}], bottleneck: identity, likelihood: mse, decoder: {mirror: untied, "
      "reverse: true}",
      {4, 1});
  Problem p(m, 1, DType::f64);
  const auto output = [&] {
    const HostTensor t =
        interpret(p.graph, p.leaves, *open_device("cpu"), std::vector{p.forward.output})[0];
    const auto v = t.as<double>();
    return Numbers(v.begin(), v.end());
  };
  const Numbers before = output();
  // Without what a step hands on, only the step made first stays as it is.
  std::ranges::fill(p.leaves.at("decoder.1.weight_hh_l0").as<double>(), 0);
  const Numbers after = output();
  EXPECT_EQ(after[3], before[3]);
  for (int t = 0; t < 3; ++t) EXPECT_NE(after[t], before[t]) << t;
}

void refused(const std::string& model, const Shape& row, const std::string& where,
             const std::string& why) {
  try {
    small_model(model, row);
    ADD_FAILURE() << model << ": was taken";
  } catch (const UserError& e) {
    EXPECT_NE(std::string(e.what()).find(where), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
  }
}

TEST(Recurrent, WhatMakesNoSenseIsRefused) {
  const std::string rest = ", bottleneck: {dense: 2}, likelihood: mse";
  refused("encoder: [{lstm: 3}]" + rest, {6}, "model.encoder.0", "reads a series");
  refused("encoder: [{lstm: 3}, {gru: 2}]" + rest, {4, 2}, "model.encoder.1", "is given [3]");
  refused("encoder: [{lstm: 3}]" + rest + ", decoder: {mirror: tied}", {4, 2}, "mirror", "untied");
  refused("encoder: [{dense: 3}]" + rest + ", decoder: {mirror: untied, reverse: true}", {4, 2},
          "reverse", "no recurrent layer");
  refused("encoder: [{lstm: {units: 3, activation: relu}}]" + rest, {4, 2}, "activation", "lstm");
}

TEST(Recurrent, LearnsToRepeatItsInput) {
  const Experiment e = make_experiment(resolve_config(
      parse_yaml(
          "data: {source: waves, count: 40, train: 32, validation: none, test: 8, shape: [7, "
          "20]}\nmodel: {encoder: [{lstm: 24}], bottleneck: identity, likelihood: mse, decoder: "
          "{mirror: untied, reverse: true}}\n"
          "train: {steps: 200, batch_size: 32, clip: 1, optimizer: {adam: {lr: 0.01}}}\n",
          "test.yaml"),
      "test"));
  Training training(e);
  training.program.run();
  const double first = training.take_loss();
  for (int step = 0; step < 200; ++step) training.program.run();
  training.take_loss();
  training.program.run();
  EXPECT_LT(training.take_loss(), 0.4 * first);
}

}  // namespace
}  // namespace latent
