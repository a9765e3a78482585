// The penalties on activations: what is added over what, what is refused, schedules, and the running mean of KL sparsity.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/graph/autodiff.h"
#include "core/graph/passes.h"
#include "kernels/ops.h"
#include "kernels/penalty/penalty.h"
#include "kernels/penalty/running_mean.h"
#include "tests/run_op.h"
#include "tests/small_training.h"

namespace latent {
namespace {

const std::string kSigmoid =
    "encoder: [{dense: 5, activation: sigmoid}], bottleneck: {dense: 3, activation: sigmoid}, "
    "likelihood: bce";

std::string with_penalty(const std::string& penalty) {
  return cat(kSigmoid, ", penalties: [", penalty, "]");
}

std::vector<double> numbers(const Problem& p, Var v) {
  const HostTensor t = interpret(p.graph, p.leaves, *open_device("cpu"), std::vector{v})[0];
  const auto values = t.as<double>();
  return {values.begin(), values.end()};
}

double term(const Problem& p) {
  double sum = 0;
  const std::vector<double> rows = numbers(p, p.forward.terms.back().value);
  for (const double v : rows) sum += v;
  return sum / static_cast<double>(rows.size());
}

/// f of h f64 [shape] and its gradient there.
std::pair<double, std::vector<double>> at(const std::function<Var(Var)>& f, const Shape& shape,
                                          const std::vector<double>& h) {
  Graph graph;
  const Var x = graph.variable(
      {.name = "h", .type = {DType::f64, shape}, .role = Role::constant, .init = {}, .group = ""});
  const Var y = sum(f(x));
  const std::vector<Var> wanted{y, gradient(y, std::vector{x})[0]};
  const Values leaves{{"h", host_tensor<double>(shape, h)}};
  const auto results = interpret(graph, leaves, *open_device("cpu"), wanted);
  const auto g = results[1].as<double>();
  return {results[0].as<double>()[0], {g.begin(), g.end()}};
}

/// Keras: Dense(..., activity_regularizer=l1(w)) adds w * sum over units, averaged over the batch.
TEST(L1, IsASumOverUnitsAndAMeanOverRows) {
  for (const char* layer : {"code", "encoder.0.pre"}) {
    const Problem p(small_model(with_penalty(cat("{l1: 0.25, at: ", layer, "}"))), 4, DType::f64);
    const Problem plain(small_model(kSigmoid), 4, DType::f64);
    double sum = 0;
    for (const Node& node : p.graph.nodes()) {
      if (node.leaf() || node.op.name() != "l1") continue;
      for (const double h : numbers(p, node.inputs[0])) sum += std::abs(h);
    }
    EXPECT_NEAR(term(p), sum / 4, 1e-12);
    EXPECT_NEAR(numbers(p, p.loss)[0] - numbers(plain, plain.loss)[0], 0.25 * sum / 4, 1e-12);
  }
}

TEST(L1, OfAMapIsOverAllItsUnits) {
  const auto [value, slopes] = at(l1, {2, 1, 2, 1}, {1, -2, 0, 4});
  EXPECT_EQ(value, 7);
  EXPECT_EQ(slopes, (std::vector<double>{1, -1, 0, 1}));
}

TEST(L1, TrainsInOnePassWithItsGradient) {
  Problem p(small_model(with_penalty("{l1: 0.25, at: code}")), 4, DType::f64);
  p.graph.output("term", p.forward.terms.back().value);
  for (const Var& g : gradient(p.loss, p.parameters)) p.graph.output(cat("g", g.node), g);
  const Graph after = optimise(p.graph);
  const auto count = [&](const std::string& op) {
    return std::ranges::count_if(after.nodes(),
                                 [&](const Node& n) { return !n.leaf() && n.op.name() == op; });
  };
  EXPECT_EQ(count("l1.with_gradient"), 1);
  EXPECT_EQ(count("l1") + count("l1.gradient1"), 0);
  std::vector<Var> before_values, after_values;
  for (const auto& [name, v] : p.graph.outputs()) before_values.push_back(v);
  for (const auto& [name, v] : after.outputs()) after_values.push_back(v);
  const auto before = interpret(p.graph, p.leaves, *open_device("cpu"), before_values);
  const auto now = interpret(after, p.leaves, *open_device("cpu"), after_values);
  for (size_t i = 0; i < before.size(); ++i)
    for (int64_t k = 0; k < before[i].type.elements(); ++k)
      EXPECT_NEAR(now[i].as<double>()[k], before[i].as<double>()[k], 1e-13);
}

TEST(Lp, IsAPowerWithoutARootAndGradientZeroAtZero) {
  for (const double p : {0.3, 0.5, 1.0, 1.5, 2.0, 3.0}) {
    const std::vector<double> h{0.5, -2, 0, 1};
    const auto [value, slopes] = at([&](Var x) { return lp(x, p); }, {2, 2}, h);
    double want = 0;
    for (const double v : h) want += std::pow(std::abs(v), p);
    EXPECT_NEAR(value, want, 1e-12) << p;
    for (size_t i = 0; i < h.size(); ++i) {
      const double slope =
          h[i] == 0 ? 0 : p * std::pow(std::abs(h[i]), p - 1) * (h[i] < 0 ? -1 : 1);
      EXPECT_NEAR(slopes[i], slope, 1e-12) << p << " at " << h[i];
    }
  }
  EXPECT_THROW(at([](Var x) { return lp(x, 0); }, {1, 1}, {1}), GraphError);
}

TEST(Lp, OfOneIsL1) {
  const std::string one = "{lp: 0.25, p: 1}", l1_of = "{l1: 0.25}";
  EXPECT_NEAR(term(Problem(small_model(with_penalty(one)), 4, DType::f64)),
              term(Problem(small_model(with_penalty(l1_of)), 4, DType::f64)), 1e-12);
}

double divergence(double rho, double q) {
  return rho * std::log(rho / q) + (1 - rho) * std::log((1 - rho) / (1 - q));
}

TEST(KlSparsity, IsADivergenceOfTheMeanSummedOverUnits) {
  const std::vector<double> h{0.2, 0.9, 0.4, 0.7};
  const auto [value, slopes] = at([](Var x) { return kl_sparsity(x, 0.1); }, {2, 2}, h);
  EXPECT_NEAR(value, divergence(0.1, 0.3) + divergence(0.1, 0.8), 1e-12);
  for (size_t i = 0; i < h.size(); ++i) {
    const double q = i % 2 ? 0.8 : 0.3;
    EXPECT_NEAR(slopes[i], (0.9 / (1 - q) - 0.1 / q) / 2, 1e-12);
  }
  EXPECT_EQ(at([](Var x) { return kl_sparsity(x, 0.25); }, {2, 1}, {0.125, 0.375}).first, 0);
}

TEST(KlSparsity, UnitsAlwaysOffOrOnAreFiniteAndPushedBack) {
  const auto [off, up] = at([](Var x) { return kl_sparsity(x, 0.05); }, {2, 1}, {0, 0});
  EXPECT_TRUE(std::isfinite(off));
  EXPECT_GT(off, 0.3);
  EXPECT_TRUE(std::isfinite(up[0]));
  EXPECT_LT(up[0], -1e4);
  const auto [on, down] = at([](Var x) { return kl_sparsity(x, 0.05); }, {2, 1}, {1, 1});
  EXPECT_TRUE(std::isfinite(on));
  EXPECT_GT(on, 10);
  EXPECT_TRUE(std::isfinite(down[0]));
  EXPECT_GT(down[0], 1e6);
}

TEST(KlSparsity, NoMeanOfProbabilitiesIsNoNumber) {
  for (const double h : {-0.1, 1.5, std::nan("")}) {
    const auto [value, slopes] =
        at([](Var x) { return kl_sparsity(x, 0.05); }, {2, 2}, {h, 0.5, h, 0.5});
    EXPECT_TRUE(std::isnan(value)) << h;
    EXPECT_TRUE(std::isnan(slopes[0])) << h;
    EXPECT_TRUE(std::isfinite(slopes[1])) << h;
  }
}

std::string refusal(const std::string& model) {
  try {
    Problem p(small_model(model), 2, DType::f64);
  } catch (const UserError& e) {
    return e.what();
  }
  return "";
}

TEST(KlSparsity, RefusesActivationsThatAreNoProbabilities) {
  EXPECT_EQ(refusal(with_penalty("{kl_sparsity: 3, at: encoder.0}")), "");
  const std::pair<const char*, const char*> cases[] = {{"relu", "[0, inf]"},
                                                       {"tanh", "[-1, 1]"},
                                                       {"linear", "no activation"},
                                                       {"softplus", "softplus"},
                                                       {"elu", "[-1, inf]"}};
  for (const auto& [activation, reason] : cases) {
    const std::string message =
        refusal(cat("encoder: [{dense: 5, activation: ", activation,
                    "}], bottleneck: {dense: 3}, likelihood: bce, penalties: [{kl_sparsity: 3, at: "
                    "encoder.0}]"));
    for (const char* part : {"kl_sparsity", "encoder.0", reason, "activation: sigmoid", "l1"})
      EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
  }
  EXPECT_NE(refusal(with_penalty("{kl_sparsity: 3, at: encoder.0.pre}")), "");
  EXPECT_NE(refusal(with_penalty("{kl_sparsity: 3, at: hidden}") + ", decoder: [{dense: 4}]"), "");
  // A sigmoid that is a layer of its own is one, too.
  EXPECT_EQ(refusal("encoder: [{dense: 5}, sigmoid], bottleneck: {dense: 3}, likelihood: bce, "
                    "penalties: [{kl_sparsity: 3, at: encoder.1}]"),
            "");
}

TEST(RunningMean, IsThePlainMeanOfAllBatchesThenAnExponentialOne) {
  const std::vector<float> batches{0.5f, 0.25f, 1, 0.125f};
  HostTensor mean = one(0.0f);
  double plain = 0;
  for (size_t t = 0; t < batches.size(); ++t) {
    const auto out = run_op(
        RunningMean{.least = 0.3},
        {host_tensor<float>({2, 1}, std::vector<float>(2, batches[t])), mean, one<uint64_t>(t)});
    const double share = std::max(0.3, 1 / (1.0 + static_cast<double>(t)));
    plain += share * (batches[t] - plain);
    EXPECT_NEAR(out[0].as<float>()[0], plain, 1e-6);
    EXPECT_NEAR(out[1].as<float>()[0], plain - batches[t], 1e-6);
    mean = out[0];
  }
}

TEST(KlSparsity, RunningBeginsAsTheBatchAndFollowsTheTraining) {
  const auto model = [](const char* average) {
    return cat(
        "bottleneck: {dense: 16, activation: sigmoid}, likelihood: bce, penalties: "
        "[{kl_sparsity: {weight: 0.1, average: ",
        average, ", label: kl}}]");
  };
  const std::string train = "epochs: 20, batch_size: 16, optimizer: {sgd: 0.1}";
  const Experiment running = small_experiment(model("running"), train),
                   batch = small_experiment(model("batch"), train);
  Training a(running), b(batch);
  a.program.run(1);
  b.program.run(1);
  const Values first = a.values();
  for (const auto& [name, value] : b.values()) {
    if (!name.starts_with("bottleneck")) continue;
    for (int64_t i = 0; i < value.type.elements(); ++i)
      ASSERT_NEAR(first.at(name).as<float>()[i], value.as<float>()[i], 1e-6)
          << name << ": the first batch is all that there is";
  }
  ASSERT_TRUE(first.contains("penalty.kl.rho_hat"));
  const auto mean_of = [](const HostTensor& t) {
    double sum = 0;
    for (const float v : t.as<float>()) sum += v;
    return sum / static_cast<double>(t.type.elements());
  };
  const double before = mean_of(first.at("penalty.kl.rho_hat"));
  EXPECT_NEAR(before, 0.5, 0.15);
  a.program.run(39);
  const double after = mean_of(a.values().at("penalty.kl.rho_hat"));
  EXPECT_LT(after, 0.8 * before) << "activations are pushed down to rho";
  b.program.run(39);
  EXPECT_FALSE(b.values().contains("penalty.kl.rho_hat"));
}

TEST(Penalties, FollowTheirSchedules) {
  struct Case {
    const char* schedule;
    std::function<double(double)> factor;
  };
  const Case cases[] = {
      {"constant", [](double) { return 1.0; }},
      {"{linear: 10}", [](double s) { return std::min(1.0, s / 10); }},
      {"{linear: {over: 10, from: 1, to: 0}}", [](double s) { return 1 - std::min(1.0, s / 10); }},
      {"{cyclic: {period: 8, ramp: 0.5}}",
       [](double s) { return std::min(1.0, std::fmod(s, 8) / 4); }},
      {"{cosine: {over: 10, to: 0}}",
       [](double s) { return (1 + std::cos(M_PI * std::min(1.0, s / 10))) / 2; }},
      {"{exponential: {every: 5, by: 0.5}}", [](double s) { return std::pow(0.5, s / 5); }},
  };
  for (const char* penalty : {"l1", "kl_sparsity", "jacobian"}) {
    for (const Case& c : cases) {
      const Model model = small_model(with_penalty(
          cat("{", penalty, ": {weight: 0.25, at: code, schedule: ", c.schedule, "}}")));
      Problem p(model, 3, DType::f64);
      Build build{.graph = p.graph, .training = true, .real = DType::f64, .taps = {}};
      build.seed = p.counter("seed", 7);
      build.step = p.counter("step", 3);
      const Var x = p.graph.variable({.name = "x",
                                      .type = p.leaves.at("x").type,
                                      .role = Role::constant,
                                      .init = {},
                                      .group = ""});
      const TrainingLength length{.steps_per_epoch = 10, .total_steps = 100};
      const Forward f = forward(model, build, x, x, &length);
      const Var loss = objective(f.terms, build.step), value = mean(f.terms.back().value),
                first = f.terms.front().weight * mean(f.terms.front().value);
      for (const uint64_t step : {0, 3, 6, 11, 25}) {
        p.counter("step", step);
        EXPECT_NEAR(numbers(p, loss)[0],
                    numbers(p, first)[0] +
                        0.25 * c.factor(static_cast<double>(step)) * numbers(p, value)[0],
                    1e-6)
            << penalty << " " << c.schedule << " at " << step;
      }
    }
  }
}

}  // namespace
}  // namespace latent
