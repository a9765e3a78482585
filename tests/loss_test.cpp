// What samples cannot say of losses: values against their formulas, weights, samples, extremes, errors.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/loss/family.h"
#include "tests/sheet.h"

namespace latent {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Losses, HaveTheirKnownValues) {
  Sheet s;
  const Var o = s.put({2, 2}, {0, 2, -1, 0.5f}), x = s.put({2, 2}, {1, 0, 0.5f, 0.25f});
  const auto expect = [&](Var loss, std::vector<double> want) {
    const std::vector<float> got = s.get(loss);
    for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-6 * (1 + want[i]));
  };
  const auto bce = [](double l, double p) {
    const double q = 1 / (1 + std::exp(-l));
    return -p * std::log(q) - (1 - p) * std::log(1 - q);
  };
  expect(bernoulli_nll(o, x), {bce(0, 1) + bce(2, 0), bce(-1, 0.5) + bce(0.5, 0.25)});
  const double log_2pi = std::log(2 * std::acos(-1.0));
  expect(gaussian_nll(o, x), {2.5 + log_2pi, 0.5 * (2.25 + 0.0625) + log_2pi});
  expect(mean_squared_error(o, x), {2.5, 0.5 * (2.25 + 0.0625)});
  expect(mean_absolute_error(o, x), {1.5, 0.5 * (1.5 + 0.25)});
  EXPECT_THROW(bernoulli_nll(o, s.row({1, 0})), GraphError);
}

TEST(Losses, BernoulliIsExactFarOut) {
  Sheet s;
  const Var l = s.put({4, 1}, {-200, -200, 200, 200}), x = s.put({4, 1}, {0, 1, 0, 1});
  const Var loss = bernoulli_nll(l, x);
  const std::vector<float> nats = s.get(loss), slopes = s.slope(loss, l);
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(nats[i], (std::vector<float>{0, 200, 200, 0})[i], 1e-37);
    EXPECT_NEAR(slopes[i], (std::vector<float>{0, -1, 1, 0})[i], 1e-37);
  }
}

TEST(Losses, AreFoundByTheirForwardOp) {
  Sheet s;
  const Var o = s.put({1, 2}, {0, 2}), x = s.put({1, 2}, {1, 0});
  const std::optional<LossOps> ops = loss_ops(s.graph.node(bernoulli_nll(o, x)).op);
  ASSERT_TRUE(ops);
  const std::vector<Var> both = s.graph.apply(ops->with_gradient(0.5), {o, x});
  EXPECT_EQ(s.get(both[0]), s.get(bernoulli_nll(o, x)));
  EXPECT_EQ(s.get(both[1]), s.get(apply(ops->gradient, {fill_like(both[0], 0.5), o, x})));
  EXPECT_FALSE(loss_ops(s.graph.node(o + x).op));
}

/// A loss of two rows of three elements, from its ops.h function.
struct Case {
  const char* name;
  Var (*rows)(Sheet&, Var o, Var x, Var w);
  double (*element)(double o, double x);  ///< the formula
  bool mean = false;
};

double log_2pi() { return std::log(2 * std::acos(-1.0)); }

const Case kCases[] = {
    {"bernoulli", [](Sheet&, Var o, Var x, Var w) { return bernoulli_nll(o, x, w); },
     [](double o, double x) {
       const double p = 1 / (1 + std::exp(-o));
       return -x * std::log(p) - (1 - x) * std::log(1 - p);
     }},
    {"gaussian", [](Sheet&, Var o, Var x, Var w) { return gaussian_nll(o, x, w, 0.3); },
     [](double o, double x) {
       return 0.5 * (log_2pi() + std::log(0.3) + (x - o) * (x - o) / 0.3);
     }},
    {"laplace", [](Sheet&, Var o, Var x, Var w) { return laplace_nll(o, x, w, 0.4); },
     [](double o, double x) { return std::abs(x - o) / 0.4 + std::log(0.8); }},
    {"shared",
     [](Sheet& s, Var o, Var x, Var w) { return gaussian_nll_shared(o, x, s.row({-0.7f}), w); },
     [](double o, double x) {
       return 0.5 * (log_2pi() - 0.7 + (x - o) * (x - o) * std::exp(0.7));
     }},
    {"squared", [](Sheet&, Var o, Var x, Var w) { return mean_squared_error(o, x, w); },
     [](double o, double x) { return (x - o) * (x - o); }, true},
    {"absolute", [](Sheet&, Var o, Var x, Var w) { return mean_absolute_error(o, x, w); },
     [](double o, double x) { return std::abs(x - o); }, true},
};

TEST(Losses, AreSumsOfTheirFormulas) {
  const std::vector<float> o{0, 2, -1, 0.5f, 0.3f, -2}, x{1, 0, 0.5f, 0.25f, 0.9f, 0.1f},
      w{1, 0.5f, 2, 0, 1, 3};
  for (const Case& c : kCases)
    for (const bool weights : {false, true}) {
      Sheet s;
      const Var weight = weights ? s.put({2, 3}, w) : Var{};
      const std::vector<float> got = s.get(c.rows(s, s.put({2, 3}, o), s.put({2, 3}, x), weight));
      for (int r : {0, 1}) {
        double want = 0;
        for (int i = 3 * r; i < 3 * r + 3; ++i)
          want += (weights ? w[i] : 1) * c.element(o[i], x[i]) / (c.mean ? 3 : 1);
        EXPECT_NEAR(got[r], want, 1e-6 * (1 + std::abs(want))) << c.name << ", row " << r;
      }
    }
}

TEST(Losses, OfSeveralPredictionsCompareWithOneTarget) {
  for (const Case& c : kCases) {
    Sheet s;
    const Var o = s.put({4, 2}, {0, 1, 2, 3, -1, -2, 0.5f, 0.25f});
    const Var x = s.put({2, 2}, {0.5f, 0.75f, 1, 0}), w = s.put({2, 2}, {1, 2, 0, 0.5f});
    const Var twice = s.put({4, 2}, {0.5f, 0.75f, 0.5f, 0.75f, 1, 0, 1, 0});
    const Var w_twice = s.put({4, 2}, {1, 2, 1, 2, 0, 0.5f, 0, 0.5f});
    EXPECT_EQ(s.get(c.rows(s, o, x, {})), s.get(c.rows(s, o, twice, {}))) << c.name;
    EXPECT_EQ(s.get(c.rows(s, o, x, w)), s.get(c.rows(s, o, twice, w_twice))) << c.name;
    EXPECT_THROW(c.rows(s, s.put({3, 2}, {0, 1, 2, 3, 4, 5}), x, {}), GraphError) << c.name;
    EXPECT_THROW(c.rows(s, o, x, s.row({1, 1})), GraphError) << c.name;
  }
}

/// Whatever an unobserved element holds: loss and gradient stay, to the bit.
TEST(Losses, AnElementOfWeightZeroHasNoInfluence) {
  for (const Case& c : kCases) {
    std::vector<std::vector<float>> losses, slopes;
    for (const float unobserved : {0.5f, 0.0f, 7.0f, -1e30f, kInfinity, std::nanf("")}) {
      Sheet s;
      const Var o = s.put({2, 3}, {0.1f, 2, -1, 0.5f, 0.3f, -2});
      const Var x = s.put({2, 3}, {unobserved, 0.5f, 0.25f, 0.75f, 0.5f, unobserved});
      const Var rows = c.rows(s, o, x, s.put({2, 3}, {0, 1, 2, 1, 3, 0}));
      losses.push_back(s.get(rows));
      slopes.push_back(s.slope(rows, o));
      const std::optional<LossOps> ops = loss_ops(s.graph.node(rows).op);
      const std::vector<Var> both = s.graph.apply(ops->with_gradient(1), s.graph.node(rows).inputs);
      EXPECT_EQ(s.get(both[0]), losses.back()) << c.name;
      EXPECT_EQ(s.get(both[1]), slopes.back()) << c.name;
      EXPECT_EQ(losses.back(), losses.front()) << c.name << ", " << unobserved;
      EXPECT_EQ(slopes.back(), slopes.front()) << c.name << ", " << unobserved;
    }
    EXPECT_EQ(slopes[0][0], 0) << c.name;
    EXPECT_EQ(slopes[0][5], 0) << c.name;
  }
}

TEST(Losses, APairOfMeanAndLogVarianceIsAGaussianOfThatVariance) {
  Sheet s;
  const Var o = s.put({1, 2, 2}, {0.5f, -1, 2, 0.25f}), x = s.put({1, 2}, {1, 0});
  const double want =
      0.5 * (log_2pi() - 1 + 0.25 * std::exp(1.0)) + 0.5 * (log_2pi() + 0.25 + 4 * std::exp(-0.25));
  EXPECT_NEAR(s.get(gaussian_nll_pairs(o, x))[0], want, 1e-6);
  const std::vector<float> slope = s.slope(gaussian_nll_pairs(o, x), o);
  EXPECT_NEAR(slope[0], -0.5 * std::exp(1.0), 1e-6);
  EXPECT_NEAR(slope[1], 0.5 * (1 - 0.25 * std::exp(1.0)), 1e-6);
  EXPECT_THROW(gaussian_nll_pairs(x, x), GraphError);
  // An unobserved element's pair gets no gradient.
  const Var w = s.put({1, 2}, {0, 1});
  const std::vector<float> half = s.slope(gaussian_nll_pairs(o, x, w), o);
  EXPECT_EQ(half[0], 0);
  EXPECT_EQ(half[1], 0);
  EXPECT_EQ(half[2], slope[2]);
}

TEST(Losses, MultinomialIsThatOfCounts) {
  Sheet s;
  const Var l = s.put({2, 3}, {0, 1, 2, 1000, -1000, 1000}), x = s.put({2, 3}, {2, 0, 1, 1, 0, 3});
  const double lse = std::log(1 + std::exp(1.0) + std::exp(2.0));
  const std::vector<float> nats = s.get(multinomial_nll(l, x)),
                           slope = s.slope(multinomial_nll(l, x), l);
  EXPECT_NEAR(nats[0], 2 * lse + (lse - 2), 1e-6 * 10);
  EXPECT_NEAR(nats[1], 4 * std::log(2.0), 1e-3) << "of logits in the thousands";
  EXPECT_NEAR(slope[0], 3 * std::exp(-lse) - 2, 1e-6);
  EXPECT_NEAR(slope[1], 3 * std::exp(1 - lse), 1e-6);
  EXPECT_EQ(slope[4], 0);
  EXPECT_NEAR(slope[5], 4 * 0.5 - 3, 1e-5);
  // A weight multiplies its count.
  const Var w = s.put({2, 3}, {0.5f, 1, 0, 1, 1, 1}), counted = s.put({2, 3}, {1, 0, 0, 1, 0, 3});
  EXPECT_EQ(s.get(multinomial_nll(l, x, w)), s.get(multinomial_nll(l, counted)));
  EXPECT_EQ(s.slope(multinomial_nll(l, x, w), l), s.slope(multinomial_nll(l, counted), l));
}

/// Averages over the elements that count are plain averages of rows that have only those.
TEST(Losses, MeansLeaveUnobservedElementsOut) {
  Sheet s;
  const Var w = s.put({3, 4}, {1, 0, 1, 0, 1, 1, 1, 1, 0, 0, 0, 0});
  EXPECT_EQ(s.get(mean_weights(w)), (std::vector<float>{2, 0, 2, 0, 1, 1, 1, 1, 0, 0, 0, 0}));
  const Var o = s.put({3, 4}, {1, 9, 2, 9, 1, 2, 3, 4, 1, 1, 1, 1});
  const Var x = s.put({3, 4}, std::vector<float>(12, 0));
  EXPECT_EQ(s.get(mean_squared_error(o, x, mean_weights(w))),
            (std::vector<float>{(1 + 4) / 2.0f, (1 + 4 + 9 + 16) / 4.0f, 0}));
  // An emphasis is kept: nothing is left out, so w is divided by nothing.
  const Var emphasis = s.put({1, 4}, {2, 0.5f, 2, 0.5f});
  EXPECT_EQ(s.get(mean_weights(emphasis)), (std::vector<float>{2, 0.5f, 2, 0.5f}));
}

TEST(LogSumExp, OfLargeAndMissingValues) {
  Sheet s;
  const Var x = s.put({5, 2}, {1000, 1000, -1000, -1002, -kInfinity, 3, -kInfinity, -kInfinity,  //
                               kInfinity, 0});
  const std::vector<float> y = s.get(log_sum_exp(x));
  EXPECT_FLOAT_EQ(y[0], 1000 + std::log(2.0f));
  EXPECT_FLOAT_EQ(y[1], -1000 + std::log1p(std::exp(-2.0f)));
  EXPECT_EQ(y[2], 3);
  EXPECT_EQ(y[3], -kInfinity);
  EXPECT_EQ(y[4], kInfinity);
  EXPECT_TRUE(std::isnan(s.get(log_sum_exp(s.row({0, std::nanf(""), 1})))[0]));
}

TEST(LogSumExp, ItsGradientIsTheSoftmax) {
  Sheet s;
  const Var x = s.row({1000, 1000, 990});
  const std::vector<float> p = s.slope(log_sum_exp(x), x);
  const float tail = std::exp(-10.0f), total = 2 + tail;
  EXPECT_NEAR(p[0], 1 / total, 1e-5);  // 1000.69 has four digits behind the point
  EXPECT_NEAR(p[1], 1 / total, 1e-5);
  EXPECT_NEAR(p[2], tail / total, 1e-7);
}

}  // namespace
}  // namespace latent
