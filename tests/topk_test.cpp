// Top-k against sorting: ties, zeros, what is not finite, k where it lies in memory, long rows, on every device of the build.
#include "kernels/select/topk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "core/graph/autodiff.h"
#include "kernels/ops.h"
#include "tests/interpreter.h"
#include "tests/run_op.h"

namespace latent {
namespace {

using Floats = std::vector<float>;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// What stays, by sorting: larger first, NaN before all, then the lower index.
std::vector<bool> kept(std::span<const float> row, int64_t k, bool magnitude) {
  std::vector<size_t> order(row.size());
  std::iota(order.begin(), order.end(), 0);
  const auto value = [&](size_t i) { return magnitude ? std::abs(row[i]) : row[i]; };
  std::ranges::stable_sort(order, [&](size_t a, size_t b) {
    if (std::isnan(value(a)) || std::isnan(value(b)))
      return std::isnan(value(a)) > std::isnan(value(b));
    return value(a) > value(b);
  });
  std::vector<bool> result(row.size());
  for (int64_t i = 0; i < k; ++i) result[order[i]] = true;
  return result;
}

std::vector<std::string> devices() {
  if (gpu_count() == 0) return {"cpu"};
  try {
    return {"cpu", open_device("simt")->name()};
  } catch (const UserError&) {
    return {"cpu", "auto"};
  }
}

void expect_topk(const Floats& x, int64_t rows, int64_t k, bool magnitude) {
  const int64_t d = static_cast<int64_t>(x.size()) / rows;
  SCOPED_TRACE(cat("[", rows, ", ", d, "], k = ", k, magnitude ? ", by magnitude" : ""));
  for (const std::string& device : devices()) {
    const HostTensor out = run_op(TopK{.k = k, .magnitude = magnitude},
                                  {host_tensor<float>({rows, d}, x)}, *open_device(device))[0];
    const auto y = out.as<float>();
    for (int64_t r = 0; r < rows; ++r) {
      const std::vector<bool> stays = kept(std::span(x).subspan(r * d, d), k, magnitude);
      for (int64_t c = 0; c < d; ++c) {
        const float in = x[r * d + c], is = y[r * d + c];
        if (stays[c] && std::isnan(in)) {
          ASSERT_TRUE(std::isnan(is)) << device << " at " << r << ", " << c;
        } else {
          ASSERT_EQ(is, stays[c] ? in : 0) << device << " at " << r << ", " << c;
          ASSERT_EQ(std::signbit(is) || is != 0, stays[c])
              << "a kept zero is -0, a dropped entry 0";
        }
      }
    }
  }
}

TEST(TopK, IsThatOfSorting) {
  std::mt19937 engine(3);
  std::normal_distribution<float> normal;
  for (const int64_t d : {1, 2, 31, 33, 256, 1000, 1025, 4097, 16385, 33000}) {
    Floats x(3 * d);
    for (float& v : x) v = normal(engine);
    for (const int64_t k : {int64_t{1}, int64_t{2}, d / 3, d - 1, d})
      if (k >= 1 && k <= d)
        for (const bool magnitude : {false, true}) expect_topk(x, 3, k, magnitude);
  }
}

TEST(TopK, OfEqualEntriesTheFirstStay) {
  std::mt19937 engine(4);
  for (const int64_t d : {7, 300, 5000, 40000}) {
    Floats equal(d, -1.5f), few(d), steps(d);
    for (int64_t i = 0; i < d; ++i) {
      few[i] = static_cast<float>(static_cast<int>(engine() % 5) - 2);
      steps[i] = static_cast<float>(i / 4);
    }
    for (const Floats& x : {equal, few, steps})
      for (const int64_t k : {int64_t{1}, int64_t{5}, d / 2, d - 1})
        for (const bool magnitude : {false, true}) expect_topk(x, 1, k, magnitude);
  }
}

TEST(TopK, ZerosOfEitherSignAreEqual) {
  expect_topk({-0.0f, 0.0f, -1, -0.0f, 0.0f}, 1, 2, false);
  expect_topk({0.0f, -0.0f, 1e-45f, -1e-45f, 0.0f}, 1, 3, false);
  expect_topk({0.0f, -0.0f, 1e-45f, -1e-45f, 0.0f}, 1, 1, true);
}

TEST(TopK, NaNStaysToBeSeen) {
  expect_topk({1, kNaN, 2, kInfinity, -kInfinity, 3}, 1, 1, false);
  expect_topk({1, kNaN, 2, kInfinity, -kInfinity, 3}, 1, 3, false);
  expect_topk({1, -kNaN, 2, kInfinity, -kInfinity, 3}, 1, 1, true);
  expect_topk({1, kNaN, -kNaN, kInfinity, -kInfinity, 3}, 1, 4, true);
  expect_topk({kNaN, kNaN, kNaN, kNaN}, 1, 2, false);
  expect_topk({-kInfinity, -kInfinity, -1}, 1, 2, false);
}

/// Entries that stay of a row of d when k is read from memory.
int64_t count(const HostTensor& k, int64_t d = 10) {
  Floats x(d);
  std::iota(x.begin(), x.end(), 1.0f);
  int64_t n = -1;
  for (const std::string& device : devices()) {
    const HostTensor out =
        run_op(TopK{}, {host_tensor<float>({1, d}, x), k}, *open_device(device))[0];
    const int64_t here = std::ranges::count_if(out.as<float>(), [](float v) { return v != 0; });
    EXPECT_TRUE(n < 0 || here == n) << device;
    n = here;
  }
  return n;
}

TEST(TopK, KIsReadRoundedAndClamped) {
  EXPECT_EQ(count(one<float>(3.4f)), 3);
  EXPECT_EQ(count(one<float>(3.5f)), 4);
  EXPECT_EQ(count(one<float>(0)), 1);
  EXPECT_EQ(count(one<float>(-7)), 1);
  EXPECT_EQ(count(one<float>(kNaN)), 1);
  EXPECT_EQ(count(one<float>(1e30f)), 10);
  EXPECT_EQ(count(one<int32_t>(4)), 4);
  EXPECT_EQ(count(one<int32_t>(-1)), 1);
  EXPECT_EQ(count(one<uint64_t>(2)), 2);
  EXPECT_EQ(count(one<uint64_t>(~uint64_t{0})), 10);
}

TEST(TopK, RefusesAKThatDoesNotFit) {
  const std::vector<Type> row{{DType::f32, {3, 5}}};
  for (const int64_t k : {0, 6, -1}) EXPECT_THROW((TopK{.k = k}.infer(row)), GraphError) << k;
  EXPECT_NO_THROW(TopK{.k = 5}.infer(row));
  EXPECT_THROW(TopK{}.infer(std::vector<Type>{row[0], {DType::f32, {2}}}), GraphError);
  EXPECT_THROW(TopK{}.infer(std::vector<Type>{row[0], {DType::u8, {1}}}), GraphError);
  EXPECT_THROW(TopK{}.infer(std::vector<Type>{{DType::f32, {}}}), GraphError);
}

/// A kept zero passes its gradient on, as torch.topk and scatter do.
TEST(TopK, GradientPassesThroughWhatStays) {
  Graph g;
  const Var x = g.variable(
      {.name = "x", .type = {DType::f32, {2, 4}}, .role = Role::constant, .init = {}, .group = ""});
  const Var y = topk(x, 2);
  const std::vector<Var> dx = pullback(y, std::vector{x},
                                       g.variable({.name = "g",
                                                   .type = {DType::f32, {2, 4}},
                                                   .role = Role::constant,
                                                   .init = {},
                                                   .group = ""}));
  const Values leaves{{"x", host_tensor<float>({2, 4}, Floats{0, -1, 5, -2, 0, 0, 0, -3})},
                      {"g", host_tensor<float>({2, 4}, Floats{1, 2, 3, 4, 5, 6, 7, 8})}};
  for (const std::string& device : devices())
    EXPECT_EQ(interpret(g, leaves, *open_device(device), dx)[0],
              host_tensor<float>({2, 4}, Floats{1, 0, 3, 0, 5, 6, 0, 0}))
        << device;
}

}  // namespace
}  // namespace latent
