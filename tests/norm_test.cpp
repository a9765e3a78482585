// Normalisation and dropout as ops: what tests by samples cannot say.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "core/graph/autodiff.h"
#include "core/random/philox.h"
#include "kernels/norm/batch_norm.h"
#include "kernels/norm/unit_norm.h"
#include "kernels/ops.h"
#include "kernels/random/dropout.h"
#include "tests/run_op.h"
#include "tests/small_models.h"

namespace latent {
namespace {

using Floats = std::vector<float>;

HostTensor drawn(const Shape& shape, double lo, double hi, uint32_t seed = 1) {
  HostTensor t(Type{DType::f32, shape});
  std::mt19937_64 engine(seed);
  draw(t, engine, lo, hi);
  return t;
}

HostTensor filled(int64_t n, float value) { return host_tensor<float>({n}, Floats(n, value)); }

std::vector<std::string> devices() {
  if (gpu_count() == 0) return {"cpu"};
  try {
    return {"cpu", open_device("simt")->name()};
  } catch (const UserError&) {
    return {"cpu", "auto"};
  }
}

double norm_of(std::span<const float> v, int64_t first, int64_t n, int64_t stride) {
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += double(v[first + i * stride]) * v[first + i * stride];
  return std::sqrt(squares);
}

/// torch.nn.BatchNorm: normalised by the biased variance, running_var moved by the unbiased one.
TEST(BatchNorm, RunningStatisticsAreThoseOfPyTorch) {
  for (const int64_t rows : {2, 37, 2500}) {
    const int64_t c = 5;
    const HostTensor x = drawn({rows, c}, -1, 3), mean = drawn({c}, -1, 1, 2),
                     var = drawn({c}, 0.5, 2, 3), w = drawn({c}, -1, 1, 4),
                     b = drawn({c}, -1, 1, 5);
    for (const std::string& device : devices()) {
      const auto out = run_op(BatchNorm{}, {x, w, b, mean, var}, *open_device(device));
      for (int64_t j = 0; j < c; ++j) {
        double m = 0, v = 0;
        for (int64_t r = 0; r < rows; ++r) m += x.as<float>()[r * c + j] / double(rows);
        for (int64_t r = 0; r < rows; ++r) v += std::pow(x.as<float>()[r * c + j] - m, 2);
        const double biased = v / rows, unbiased = v / (rows - 1);
        EXPECT_NEAR(out[1].as<float>()[j], m, 1e-5);
        EXPECT_NEAR(out[2].as<float>()[j], biased, 1e-5);
        EXPECT_NEAR(out[3].as<float>()[j], 0.9 * mean.as<float>()[j] + 0.1 * m, 1e-5);
        EXPECT_NEAR(out[4].as<float>()[j], 0.9 * var.as<float>()[j] + 0.1 * unbiased, 1e-5);
        for (int64_t r = 0; r < rows; ++r)
          ASSERT_NEAR(out[0].as<float>()[r * c + j],
                      w.as<float>()[j] * (x.as<float>()[r * c + j] - m) / std::sqrt(biased + 1e-5) +
                          b.as<float>()[j],
                      2e-5);
      }
    }
  }
}

/// A large offset cancels before anything is squared; a constant channel has variance 0, not less.
TEST(BatchNorm, OffsetsDoNotMatter) {
  const int64_t rows = 3000, c = 3;
  HostTensor x = drawn({rows, c}, -1, 1);
  for (int64_t r = 0; r < rows; ++r) {
    x.as<float>()[r * c] += 4096;
    x.as<float>()[r * c + 1] = 1e6f;
  }
  const auto out = run_op(BatchNorm{}, {x, filled(c, 1), filled(c, 0), filled(c, 0), filled(c, 1)});
  EXPECT_NEAR(out[2].as<float>()[0], 1.0 / 3, 0.02);
  EXPECT_EQ(out[1].as<float>()[1], 1e6f);
  EXPECT_EQ(out[2].as<float>()[1], 0);
  for (int64_t r = 0; r < rows; ++r) ASSERT_EQ(out[0].as<float>()[r * c + 1], 0);
}

TEST(BatchNorm, OneValueHasNoVariance) {
  const Type c{DType::f32, {4}};
  EXPECT_THROW(BatchNorm{}.infer(std::vector<Type>{{DType::f32, {1, 4}}, c, c, c, c}), GraphError);
  EXPECT_NO_THROW(BatchNorm{}.infer(std::vector<Type>{{DType::f32, {1, 2, 4}}, c, c, c, c}));
  EXPECT_THROW(BatchNorm{}.infer(std::vector<Type>{{DType::f32, {2, 5}}, c, c, c, c}), GraphError);
}

/// One launch a batch of up to 1024 rows, two beyond, with the statistics and the mapping in them.
TEST(BatchNorm, Launches) {
  const auto launches = [](int64_t rows) {
    const Type x{DType::f32, {rows, 8}}, c{DType::f32, {8}};
    const Signature s{.in = {x, c, c, c, c}, .out = {x, c, c, c, c}};
    return BatchNorm{}.cost(s).launches;
  };
  EXPECT_EQ(launches(1024), 1);
  EXPECT_EQ(launches(1025), 2);
}

TEST(LayerNorm, RowsHaveMeanZeroAndVarianceOne) {
  Graph g;
  const auto in = [&](const char* name, const Shape& shape) {
    return g.variable({.name = name,
                       .type = {DType::f32, shape},
                       .role = Role::constant,
                       .init = {},
                       .group = ""});
  };
  const Var y = layer_norm(in("x", {3, 2, 50}), in("w", {50}), in("b", {50}));
  HostTensor x = drawn({3, 2, 50}, 100, 103);
  for (const std::string& device : devices()) {
    const HostTensor out = interpret(g, {{"x", x}, {"w", filled(50, 2)}, {"b", filled(50, 3)}},
                                     *open_device(device), std::vector{y})[0];
    for (int64_t r = 0; r < 6; ++r) {
      double mean = 0, squares = 0;
      for (int64_t c = 0; c < 50; ++c) mean += out.as<float>()[r * 50 + c] / 50;
      for (int64_t c = 0; c < 50; ++c) squares += std::pow(out.as<float>()[r * 50 + c] - mean, 2);
      EXPECT_NEAR(mean, 3, 1e-4);
      EXPECT_NEAR(std::sqrt(squares / 50), 2, 1e-3);
    }
  }
}

TEST(Normalize, ZeroRowsStayAndHaveFiniteGradients) {
  Graph g;
  const Var x = g.variable(
      {.name = "x", .type = {DType::f32, {2, 3}}, .role = Role::constant, .init = {}, .group = ""});
  const Var y = normalize(x);
  const Var first = gradient(sum(square(y) * 2.0), std::vector{x})[0];
  const Var second = gradient(sum(square(first)), std::vector{x})[0];
  const Values leaves{{"x", host_tensor<float>({2, 3}, Floats{0, 0, 0, 3, 0, 4})}};
  const auto values = interpret(g, leaves, *open_device("cpu"), std::vector{y, first, second});
  EXPECT_EQ(values[0], host_tensor<float>({2, 3}, Floats{0, 0, 0, 0.6f, 0, 0.8f}));
  for (const HostTensor& t : values)
    for (const float v : t.as<float>()) EXPECT_TRUE(std::isfinite(v));
}

TEST(UnitNorm, OfRowsOrColumnsAloneUnlessLatched) {
  const UnitNorm op{{{2, 4, 5, false}, {24, 3, 4, true}}};
  HostTensor p = drawn({40}, -2, 2);
  for (int c = 0; c < 5; ++c) p.as<float>()[2 + 5 + c] = 0;  // a row of zeros
  for (const std::string& device : devices()) {
    const HostTensor out = run_op(op, {one<uint64_t>(0), p}, *open_device(device))[0];
    const auto v = out.as<float>();
    for (int r = 0; r < 4; ++r) EXPECT_NEAR(norm_of(v, 2 + 5 * r, 5, 1), r == 1 ? 0 : 1, 1e-6);
    for (int c = 0; c < 4; ++c) EXPECT_NEAR(norm_of(v, 24 + c, 3, 4), 1, 1e-6);
    for (const int i : {0, 1, 22, 23, 36, 39}) EXPECT_EQ(v[i], p.as<float>()[i]) << i;
    EXPECT_EQ(run_op(op, {one<uint64_t>(7), p}, *open_device(device))[0], p) << "latched";
  }
}

// ---- Dropout -------------------------------------------------------------------------------------

TEST(Dropout, DropsItsShareAndKeepsTheMean) {
  const int64_t n = 200000;
  for (const double rate : {0.0, 0.2, 0.5, 0.9}) {
    const HostTensor y = run_op(Dropout{.rate = rate, .stream = stream_of("a")},
                                {one<uint64_t>(3), one<uint64_t>(9), filled(n, 2)})[0];
    int64_t dropped = 0;
    double sum = 0;
    for (const float v : y.as<float>()) {
      ASSERT_TRUE(v == 0 || std::abs(v - 2 / (1 - rate)) < 1e-5);
      dropped += v == 0;
      sum += v;
    }
    const double deviation = std::sqrt(rate * (1 - rate) / n);
    EXPECT_NEAR(double(dropped) / n, rate, 5 * deviation + 1e-12);
    EXPECT_NEAR(sum / n, 2, 5 * 2 / (1 - rate) * deviation + 1e-6);
  }
}

TEST(Dropout, MaskIsThatOfSeedStepAndStream) {
  const HostTensor x = drawn({33, 7}, 0.5, 1);
  const auto run = [&](uint64_t seed, uint64_t step, const char* stream,
                       const std::string& device) {
    return run_op(Dropout{.rate = 0.5, .stream = stream_of(stream)}, {one(seed), one(step), x},
                  *open_device(device))[0];
  };
  const HostTensor y = run(1, 2, "a", "cpu");
  EXPECT_NE(run(2, 2, "a", "cpu"), y);
  EXPECT_NE(run(1, 3, "a", "cpu"), y);
  EXPECT_NE(run(1, 2, "b", "cpu"), y);
  for (const std::string& device : devices()) EXPECT_EQ(run(1, 2, "a", device), y) << device;
  for (int64_t i = 0; i < x.type.elements(); ++i)
    EXPECT_EQ(y.as<float>()[i] != 0,
              bernoulli(1, 2, stream_of("a"), static_cast<uint64_t>(i), 0.5f));
}

/// The backward pass draws the mask again; batched cotangents share it.
TEST(Dropout, GradientHasTheMaskOfTheForwardPass) {
  Graph g;
  const auto in = [&](const char* name, const Type& type) {
    return g.variable(
        {.name = name, .type = type, .role = Role::constant, .init = {}, .group = ""});
  };
  const Type counter{DType::u64, {1}};
  const Var x = in("x", {DType::f32, {5, 7}});
  const Var y = dropout(in("seed", counter), in("step", counter), x, 0.25, stream_of("a"));
  const Var dx = pullback(y, std::vector{x}, fill(g, {DType::f32, {3, 5, 7}}, 1), 1)[0];
  const Values leaves{
      {"seed", one<uint64_t>(5)}, {"step", one<uint64_t>(6)}, {"x", drawn({5, 7}, 1, 2)}};
  for (const std::string& device : devices()) {
    const auto values = interpret(g, leaves, *open_device(device), std::vector{y, dx});
    for (int64_t k = 0; k < 3; ++k)
      for (int64_t i = 0; i < 35; ++i)
        EXPECT_EQ(values[1].as<float>()[k * 35 + i], values[0].as<float>()[i] == 0 ? 0 : 1 / 0.75f);
  }
}

TEST(Dropout, WhatIsNotFiniteStaysSo) {
  const float nan = std::nanf("");
  const HostTensor y = run_op(Dropout{.rate = 0.9, .stream = 1},
                              {one<uint64_t>(1), one<uint64_t>(1), filled(100, nan)})[0];
  for (const float v : y.as<float>()) EXPECT_TRUE(std::isnan(v));
}

TEST(Dropout, RefusesARateOfOne) {
  const std::vector<Type> in{{DType::u64, {1}}, {DType::u64, {1}}, {DType::f32, {3}}};
  EXPECT_THROW(Dropout{.rate = 1}.infer(in), GraphError);
  EXPECT_THROW(Dropout{.rate = -0.1}.infer(in), GraphError);
}

}  // namespace
}  // namespace latent
