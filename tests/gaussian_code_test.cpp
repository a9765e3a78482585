// Gaussian codes: their draws, their KL divergence, the objectives made of them, and how they stand in files.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "core/graph/autodiff.h"
#include "experiments/evaluator.h"
#include "kernels/ops.h"
#include "kernels/variational/gaussian_sample.h"
#include "tests/data_files.h"
#include "tests/run_op.h"
#include "tests/small_training.h"

namespace latent {
namespace {

HostTensor counter(uint64_t value) {
  return host_tensor<uint64_t>({1}, std::vector<uint64_t>{value});
}

std::vector<double> doubles(const HostTensor& t) {
  if (t.type.dtype == DType::f64) {
    const auto v = t.as<double>();
    return {v.begin(), v.end()};
  }
  const auto v = t.as<float>();
  return {v.begin(), v.end()};
}

/// h [rows, 2 units] with the same mean and log-variance everywhere.
HostTensor code_of(int64_t rows, int64_t units, float mu, float logvar) {
  HostTensor h(Type{DType::f32, {rows, 2 * units}});
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t u = 0; u < 2 * units; ++u)
      h.as<float>()[r * 2 * units + u] = u < units ? mu : logvar;
  return h;
}

TEST(GaussianSample, MeanAndVarianceOfAMillionDraws) {
  const float mu = 0.7f, logvar = -0.9f;
  const GaussianSample op{.stream = stream_of("bottleneck.sample"), .samples = 10};
  const auto out = run_op(op, {code_of(1000, 100, mu, logvar), counter(5), counter(9)});
  const std::vector<double> z = doubles(out[0]);
  ASSERT_EQ(z.size(), 1000000u);
  double sum = 0, squares = 0;
  for (const double v : z) sum += v, squares += (v - mu) * (v - mu);
  const double n = static_cast<double>(z.size()), variance = std::exp(logvar);
  EXPECT_NEAR(sum / n, mu, 5 * std::sqrt(variance / n));  // five standard errors
  EXPECT_NEAR(squares / n, variance, 5 * variance * std::sqrt(2 / n));
  // Noise of deviation 1, not of a hundredth: a code of mean 0 and variance 1 is the prior.
  const auto prior = run_op(op, {code_of(1000, 100, 0, 0), counter(5), counter(9)});
  const std::vector<double> eps = doubles(prior[0]);
  for (size_t i = 0; i < 1000; ++i) EXPECT_NEAR(z[i], mu + std::exp(0.5 * logvar) * eps[i], 1e-5);
}

TEST(GaussianSample, KlIsTheMeanOfTheLogRatio) {
  const int64_t units = 8;
  const float mu = 0.5f, logvar = 0.3f;
  const GaussianSample op{.stream = stream_of("bottleneck.sample"), .samples = 1000};
  const auto out = run_op(op, {code_of(200, units, mu, logvar), counter(1), counter(2)});
  const std::vector<double> kl = doubles(out[1]), ratio = doubles(out[2]);
  const double exact = units * 0.5 * (mu * mu + std::exp(logvar) - 1 - logvar);
  double mean = 0, squares = 0;
  for (const double r : ratio) mean -= r, squares += r * r;
  mean /= static_cast<double>(ratio.size());
  const double deviation = std::sqrt(squares / static_cast<double>(ratio.size()) - mean * mean);
  for (const double value : kl)
    EXPECT_NEAR(value, exact, 1e-5);  // nats an example: a sum over units
  EXPECT_NEAR(mean, exact, 5 * deviation / std::sqrt(static_cast<double>(ratio.size())));
}

const std::string kVae =
    "encoder: [{dense: 5, activation: tanh}], bottleneck: {gaussian: 2}, likelihood: bernoulli";

double value_of(const Problem& p, Var scalar) {
  return doubles(interpret(p.graph, p.leaves, *open_device("cpu"), std::vector{scalar})[0])[0];
}

double loss_of(const std::string& model, int64_t rows = 4) {
  const Problem p(small_model(model), rows, DType::f64);
  return value_of(p, p.loss);
}

TEST(Kl, ComesWithTheGaussianCode) {
  const Problem p(small_model(kVae), 4, DType::f64);
  ASSERT_EQ(p.forward.terms.size(), 2u);
  EXPECT_EQ(p.forward.terms[0].name, "nll");
  EXPECT_EQ(p.forward.terms[1].name, "kl");
  EXPECT_EQ(p.forward.terms[1].weight, 1);
  const Problem beta(small_model(kVae + ", penalties: [{kl: 4}]"), 4, DType::f64);
  ASSERT_EQ(beta.forward.terms.size(), 2u);
  EXPECT_EQ(beta.forward.terms[1].weight, 4);
}

/// Other programs' KL is zero, with its gradient, where the default capacity is 0.
TEST(Kl, HasAGradientWithoutACapacityAndWithAnyCapacity) {
  for (const char* penalty :
       {"{kl: 1}", "{kl: {weight: 1, capacity: 0}}", "{kl: {weight: 1, capacity: 3}}"}) {
    Problem p(small_model(cat(kVae, ", penalties: [", penalty, "]")), 4, DType::f64);
    const Var kl = mean(p.forward.terms[1].value);
    double largest = 0;
    for (const Var& g : gradient(kl, p.parameters))
      for (const double v :
           doubles(interpret(p.graph, p.leaves, *open_device("cpu"), std::vector{g})[0]))
        largest = std::max(largest, std::abs(v));
    EXPECT_GT(largest, 1e-3) << penalty;
  }
}

TEST(Kl, CapacityIsTheDistanceFromIt) {
  Problem p(small_model(kVae), 4, DType::f64);
  const double kl = value_of(p, mean(p.forward.terms[1].value));
  for (const double c : {0.0, 0.1, 25.0}) {
    Problem with(small_model(cat(kVae, ", penalties: [{kl: {weight: 1, capacity: ", c, "}}]")), 4,
                 DType::f64);
    EXPECT_NEAR(value_of(with, with.forward.terms[1].value), std::abs(kl - c), 1e-9);
  }
}

TEST(Kl, FreeBitsCountAtLeastForEachUnit) {
  Problem p(small_model(kVae), 4, DType::f64);
  const double kl = value_of(p, mean(p.forward.terms[1].value));
  const auto with = [&](double bits) {
    Problem free(small_model(cat(kVae, ", penalties: [{kl: {weight: 1, free_bits: ", bits, "}}]")),
                 4, DType::f64);
    return value_of(free, free.forward.terms[1].value);
  };
  EXPECT_NEAR(with(1e-6), kl, 1e-5);
  EXPECT_NEAR(with(50), 100, 1e-9) << "two units";
}

TEST(Kl, IsRefusedForACodeThatIsNotDrawn) {
  EXPECT_THROW(Problem(small_model("bottleneck: {dense: 2}, likelihood: bce, penalties: [{kl: 1}]"),
                       4, DType::f64),
               UserError);
}

TEST(GaussianCode, ViewsShowTheMean) {
  const Model m = small_model(kVae);
  Graph g;
  Build build{.graph = g, .taps = {}};
  const Var x = g.variable(
      {.name = "x", .type = {DType::f32, {3, 6}}, .role = Role::constant, .init = {}, .group = ""});
  const Code code = m.encode(build, x);
  EXPECT_EQ(code.value, code.mean);
  EXPECT_EQ(code.samples, 1);
  EXPECT_FALSE(code.kl);
}

TEST(GaussianCode, IsOneProductInMemoryAndTwoTensorsInFiles) {
  const Model m = small_model(kVae);
  std::vector<std::string> names;
  for (const Parameter& p : m.parameters())
    for (const auto& [name, type] : file_tensors(p))
      names.push_back(cat(name, " ", to_string(type.shape)));
  for (const char* name : {"bottleneck.mean.weight [2, 5]", "bottleneck.logvar.weight [2, 5]",
                           "bottleneck.mean.bias [2]", "bottleneck.logvar.bias [2]"})
    EXPECT_NE(std::ranges::find(names, name), names.end()) << name;
  const Problem p(m, 4, DType::f64);
  const auto products = std::ranges::count_if(p.graph.nodes(), [&](const Node& n) {
    return !n.leaf() && n.op.name().starts_with("linear") && n.label == "bottleneck";
  });
  EXPECT_EQ(products, 1);
}

TEST(GaussianCode, TiedMirrorsAreRefused) {
  EXPECT_THROW(small_model(kVae + ", decoder: {mirror: tied}"), UserError);
  EXPECT_NO_THROW(small_model(kVae + ", decoder: {mirror: tied_at_start}"));
}

TEST(GaussianCode, SamplesAreMeans) {
  const std::string several =
      "encoder: [{dense: 5, activation: tanh}], bottleneck: {gaussian: 2, samples: 3}, likelihood: "
      "bernoulli";
  const Problem p(small_model(several), 4, DType::f64);
  EXPECT_EQ(p.forward.output.shape(), (Shape{12, 6}));
  EXPECT_EQ(p.forward.terms[0].value.shape(), (Shape{4}));
  EXPECT_TRUE(std::isfinite(value_of(p, p.loss)));
}

// ---- Importance weighting ----

std::string iwae(int samples) {
  return cat(
      "objective: iwae, encoder: [{dense: 5, activation: tanh}], bottleneck: {gaussian: 2, "
      "samples: ",
      samples, "}, likelihood: bernoulli");
}

/// Of one model and many draws: the bound is tighter as K grows, and for K = 1 it is the ELBO.
TEST(Iwae, IsTheElboForOneSampleAndTighterForMore) {
  const auto bound = [](const std::string& model, std::string_view term) {
    double total = 0;
    Problem p(small_model(model), 64, DType::f64);
    const auto found = std::ranges::find(p.forward.terms, term, &Term::name);
    const Var value = found == p.forward.terms.end() ? p.loss : mean(found->value);
    for (uint64_t step = 0; step < 40; ++step) {
      p.leaves.at("step") = counter(step);
      total += value_of(p, value) / 40;
    }
    return total;
  };
  const std::string elbo_model =
      "encoder: [{dense: 5, activation: tanh}], bottleneck: {gaussian: 2, samples: 50}, "
      "likelihood: bernoulli";
  const double elbo = bound(elbo_model, "loss"), one = bound(iwae(1), "iwae"),
               ten = bound(iwae(10), "iwae"), fifty = bound(iwae(50), "iwae");
  EXPECT_NEAR(one, elbo, 0.03);
  EXPECT_LT(ten, one - 0.01);
  EXPECT_LT(fifty, ten);
}

/// -log 1/K sum w, log w = log p(x|z) + log p(z) - log q(z|x), by hand. Other programs take as many samples as a batch has
/// rows and drop the rest of a division: here there are K, above and below the rows, each with noise of its own.
TEST(Iwae, WeightsAreRatiosOfDensitiesOfAsManySamplesAsAsked) {
  const size_t rows = 4;
  for (const size_t samples : {1, 3, 4, 7}) {
    Problem p(small_model(iwae(static_cast<int>(samples))), rows, DType::f64);
    const Code& code = p.forward.code;
    EXPECT_EQ(p.forward.terms[0].name, "iwae");
    const std::vector<Var> wanted{code.value, code.mu, code.logvar, p.forward.terms[0].value,
                                  p.forward.output};
    const auto found = interpret(p.graph, p.leaves, *open_device("cpu"), wanted);
    auto z = doubles(found[0]);
    const auto mu = doubles(found[1]), logvar = doubles(found[2]), bound = doubles(found[3]),
               logits = doubles(found[4]), x = doubles(p.leaves.at("x"));
    ASSERT_EQ(z.size(), rows * samples * 2);
    ASSERT_EQ(bound.size(), rows);
    for (size_t row = 0; row < rows; ++row) {
      double sum = 0;
      for (size_t r = row * samples; r < (row + 1) * samples; ++r) {
        double log_w = 0;
        for (size_t e = 0; e < 6; ++e) {
          const double q = 1 / (1 + std::exp(-logits[r * 6 + e])), t = x[row * 6 + e];
          log_w += t * std::log(q) + (1 - t) * std::log(1 - q);
        }
        for (size_t u = 0; u < 2; ++u) {
          const double v = z[r * 2 + u], m = mu[row * 2 + u], lv = logvar[row * 2 + u];
          const double constant = 0.5 * std::log(2 * std::numbers::pi);
          log_w += (-0.5 * v * v - constant) -
                   (-0.5 * (v - m) * (v - m) / std::exp(lv) - 0.5 * lv - constant);
        }
        sum += std::exp(log_w);
      }
      EXPECT_NEAR(bound[row], -std::log(sum / static_cast<double>(samples)), 1e-8);
    }
    std::ranges::sort(z);
    EXPECT_TRUE(std::ranges::adjacent_find(z) == z.end()) << samples << ": a draw is repeated";
  }
}

TEST(Iwae, MetricsKeepTheirNamesWhereTheInputIsCorrupted) {
  const Experiment e =
      small_experiment(cat(iwae(3), ", corruption: {masking: 0.5}"), "epochs: 1, batch_size: 8");
  Training training(e);
  std::map<std::string, double> found;
  for (const auto& [name, value] :
       Evaluator(e, training.store, "train", false).run(e.config.at("evaluate").list()))
    found[name] = value;
  EXPECT_EQ(found.at("loss"), found.at("iwae"));
  EXPECT_NEAR(found.at("nll"), 784 * found.at("bce"), 1e-3 * found.at("nll"));  // of clean input
  EXPECT_GT(std::abs(found.at("objective.nll") - found.at("nll")), 0.05);       // of what is drawn
}

TEST(Iwae, RefusesWhatHasNoDensity) {
  for (const char* model :
       {"objective: iwae, bottleneck: {dense: 2}, likelihood: bernoulli",
        "objective: iwae, bottleneck: {gaussian: 2}, likelihood: mse",
        "objective: iwae, bottleneck: {gaussian: 2}, likelihood: bce",
        "objective: iwae, bottleneck: {gaussian: 2}, likelihood: bernoulli, penalties: [{kl: 4}]"})
    EXPECT_THROW(loss_of(model), UserError) << model;
}

// ---- Other distances from the prior ----

TEST(Mmd, IsNearZeroForThePriorAndGrowsWithTheDistance) {
  const auto mmd = [](float mu, float logvar, const char* kernel) {
    const Model m = small_model(cat("encoder: [], bottleneck: identity, decoder: [], output: none, "
                                    "likelihood: mse, penalties: [{mmd: {weight: 1, kernel: ",
                                    kernel, "}}]"),
                                {4});
    Problem q(m, 300, DType::f64);
    const auto eps = run_op(GaussianSample{.stream = stream_of("other"), .samples = 1},
                            {code_of(300, 4, mu, logvar), counter(3), counter(4)});
    const std::vector<double> z = doubles(eps[0]);
    std::ranges::copy(z, q.leaves.at("x").as<double>().begin());
    return value_of(q, q.forward.terms[1].value);
  };
  for (const char* kernel : {"imq", "rbf"}) {
    EXPECT_NEAR(mmd(0, 0, kernel), 0, 0.05) << kernel;
    EXPECT_GT(mmd(1, 0, kernel), 0.2) << kernel;
    EXPECT_GT(mmd(3, 0, kernel), mmd(1, 0, kernel)) << kernel;
    EXPECT_GT(mmd(0, -4, kernel), 0.1) << kernel;
  }
}

/// By a loop over all pairs, as the paper's formula has it.
TEST(TotalCorrelation, IsTheEstimateOfTheDefinition) {
  for (const char* estimator : {"weighted", "stratified"}) {
    Problem p(
        small_model(cat(kVae, ", penalties: [{kl: 1}, {total_correlation: {weight: 1, estimator: ",
                        estimator, "}}]")),
        5, DType::f64);
    const Code& code = p.forward.code;
    const auto found =
        interpret(p.graph, p.leaves, *open_device("cpu"),
                  std::vector{code.value, code.mu, code.logvar, p.forward.terms[2].value});
    const auto z = doubles(found[0]), mu = doubles(found[1]), logvar = doubles(found[2]),
               rows = doubles(found[3]);
    const double n = 50, b = 5, m = b - 1;
    for (int i = 0; i < 5; ++i) {
      double joint = 0, marginal[2] = {};
      for (int j = 0; j < 5; ++j) {
        double w = 1 / (n * b);
        if (estimator == std::string("stratified"))
          w = j == i ? 1 / n : j == (i + 1) % 5 ? (n - m) / (n * m) : 1 / m;
        double product = 1;
        for (int u = 0; u < 2; ++u) {
          const double d = z[i * 2 + u] - mu[j * 2 + u], lv = logvar[j * 2 + u];
          const double density =
              std::exp(-0.5 * (d * d / std::exp(lv) + lv + std::log(2 * std::numbers::pi)));
          product *= density;
          marginal[u] += w * density;
        }
        joint += w * product;
      }
      EXPECT_NEAR(rows[i], std::log(joint) - std::log(marginal[0]) - std::log(marginal[1]), 1e-9)
          << estimator;
    }
  }
}

TEST(Vae, TrainsOnDigits) {
  const Experiment e = small_experiment(
      "encoder: [{dense: 64, activation: relu}], bottleneck: {gaussian: 8}, likelihood: bernoulli",
      "epochs: 1, batch_size: 32, optimizer: {adam: 0.003}", 200);
  Training training(e);
  training.program.run();
  const double first = training.take_loss();
  training.program.run(300);
  training.take_loss();
  training.program.run(10);
  EXPECT_LT(training.take_loss(), 0.6 * first);
  EXPECT_EQ(training.terms, (std::vector<std::string>{"nll", "kl"}));
}

}  // namespace
}  // namespace latent
