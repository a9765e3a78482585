// What samples cannot say of functions and structural ops: known values, extremes, errors.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/graph/autodiff.h"
#include "core/plan/program.h"
#include "kernels/functions.h"
#include "kernels/ops.h"
#include "kernels/structural/structural.h"
#include "tests/sheet.h"

namespace latent {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST(Functions, HaveTheirKnownValues) {
  Sheet s;
  const Var x = s.row({-1, 0, 2});
  const auto expect = [&](Var y, std::vector<float> want) {
    const std::vector<float> got = s.get(y);
    for (size_t i = 0; i < want.size(); ++i)
      EXPECT_NEAR(got[i], want[i], 2e-7 * (1 + std::abs(want[i]))) << s.graph.node(y).op.name();
  };
  expect(identity(x), {-1, 0, 2});
  expect(relu(x), {0, 0, 2});
  expect(leaky_relu(x), {-0.01f, 0, 2});
  expect(elu(x), {-0.63212056f, 0, 2});
  expect(gelu(x), {-0.15865525f, 0, 1.95449974f});
  expect(silu(x), {-0.26894142f, 0, 1.76159416f});
  expect(softplus(x), {0.31326169f, 0.69314718f, 2.12692801f});
  expect(sigmoid(x), {0.26894142f, 0.5f, 0.88079708f});
  expect(tanh(x), {-0.76159416f, 0, 0.96402758f});
  expect(exp(x), {0.36787944f, 1, 7.38905610f});
  expect(square(x), {1, 0, 4});
  expect(abs(x), {1, 0, 2});
  const Var positive = s.row({0.25f, 1, 2});
  expect(log(positive), {-1.38629436f, 0, 0.69314718f});
  expect(sqrt(positive), {0.5f, 1, 1.41421356f});
  expect(reciprocal(positive), {4, 1, 0.5f});
}

TEST(Functions, StayFiniteFarOut) {
  Sheet s;
  const Var x = s.row({-1e4f, -100, 100, 1e4f});
  using Function = Var (*)(Var);
  for (Function f : {Function(elu), Function(gelu), Function(silu), Function(softplus),
                     Function(sigmoid), Function(tanh)}) {
    const Var y = f(x);
    for (float v : s.get(y)) EXPECT_TRUE(std::isfinite(v)) << s.graph.node(y).op.name();
    for (float v : s.slope(y, x)) EXPECT_TRUE(std::isfinite(v)) << s.graph.node(y).op.name();
  }
  EXPECT_EQ(s.get(softplus(x)), (std::vector<float>{0, std::exp(-100.0f), 100, 1e4f}));
}

TEST(Functions, KeepTheTailsOfTheirDerivatives) {
  Sheet s;
  const Var x = s.row({-20, 20});
  for (float v : s.slope(sigmoid(x), x)) EXPECT_NEAR(v / 2.0611536e-9, 1, 1e-5);
  const Var t = s.row({-10, 10});
  for (float v : s.slope(tanh(t), t)) EXPECT_NEAR(v / 8.2446145e-9, 1, 1e-5);
}

TEST(Functions, KeepNaN) {
  for (const PointwiseFamily* family : pointwise_families()) {
    Sheet s;
    const Var y = apply(family->forward, {s.row({kNaN})});
    EXPECT_TRUE(std::isnan(s.get(y)[0])) << family->name;
  }
}

TEST(Functions, GradientFromOutputIsGradientFromInput) {
  for (const PointwiseFamily* family : pointwise_families()) {
    if (!family->output_gradient) continue;
    Sheet s;
    const Var x = s.row({0.3f, 0.7f, 1.9f}), g = s.row({1, -2, 3}), y = apply(family->forward, {x});
    const auto by_x = s.get(apply(family->gradient, {g, x}));
    const auto by_y = s.get(apply(family->output_gradient, {g, y}));
    for (size_t i = 0; i < by_x.size(); ++i)
      EXPECT_NEAR(by_x[i], by_y[i], 1e-5 * std::abs(by_x[i])) << family->name;
  }
}

TEST(Functions, AreFoundByName) {
  for (const char* name :
       {"linear", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "sigmoid", "tanh"}) {
    ASSERT_NE(find_pointwise(name), nullptr) << name;
    EXPECT_TRUE(find_pointwise(name)->activation) << name;
  }
  for (const char* name : {"abs", "exp", "log", "reciprocal", "sqrt", "square"}) {
    ASSERT_NE(find_pointwise(name), nullptr) << name;
    EXPECT_FALSE(find_pointwise(name)->activation) << name;
  }
  EXPECT_EQ(find_pointwise("rleu"), nullptr);
  const PointwiseFamily* relu_family = find_pointwise("relu");
  EXPECT_EQ(family_of_forward(relu_family->forward), relu_family);
  EXPECT_EQ(family_of_gradient(relu_family->gradient), relu_family);
  EXPECT_EQ(family_of_gradient(relu_family->forward), nullptr);
}

TEST(Functions, SayWhichDerivativeIsMissing) {
  Sheet s;
  const Var x = s.row({1});
  Var y = gelu(x);
  for (int order = 1; order <= 3; ++order) y = gradient(sum(y), std::vector{x})[0];
  EXPECT_THROW(gradient(sum(y), std::vector{x}), GraphError);
  // Derivatives that are zero everywhere exist to any order.
  Var z = relu(x);
  for (int order = 1; order <= 4; ++order) z = gradient(sum(z), std::vector{x})[0];
  EXPECT_EQ(s.get(z), std::vector<float>{0});
}

TEST(Structural, BroadcastsAsNumpyDoes) {
  Sheet s;
  const Var a = s.put({2, 3}, {1, 2, 3, 4, 5, 6}), row = s.row({10, 20, 30});
  const Var column = s.put({2, 1}, {100, 200});
  EXPECT_EQ(s.get(a + row), (std::vector<float>{11, 22, 33, 14, 25, 36}));
  EXPECT_EQ(s.get(a * column), (std::vector<float>{100, 200, 300, 800, 1000, 1200}));
  EXPECT_EQ(s.get(column - row), (std::vector<float>{90, 80, 70, 190, 180, 170}));
  EXPECT_EQ(s.get(1 - a / 2), (std::vector<float>{0.5f, 0, -0.5f, -1, -1.5f, -2}));
  EXPECT_THROW(a + s.row({1, 2}), GraphError);
  EXPECT_THROW(a + s.put<double>({3}, {1, 2, 3}), GraphError);
}

TEST(Structural, SumsOverTheAxesAskedFor) {
  Sheet s;
  const Var x = s.put({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(s.get(sum(x)), std::vector<float>{21});
  EXPECT_EQ(sum(x).shape(), Shape{});
  EXPECT_EQ(s.get(mean(x)), std::vector<float>{3.5f});
  EXPECT_EQ(s.get(sum_rows(x)), (std::vector<float>{6, 15}));
  EXPECT_EQ(s.get(mean_rows(x)), (std::vector<float>{2, 5}));
  EXPECT_EQ(s.get(sum_cols(x)), (std::vector<float>{5, 7, 9}));
  EXPECT_EQ(s.get(mean_cols(x)), (std::vector<float>{2.5f, 3.5f, 4.5f}));
  EXPECT_EQ(s.get(sum_to(x, {2, 1})), (std::vector<float>{6, 15}));
  EXPECT_THROW(sum_to(x, {2}), GraphError);
}

TEST(Structural, ReshapesWithOneOpenDimension) {
  Sheet s;
  const Var x = s.put({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(reshape(x, {3, -1}).shape(), (Shape{3, 2}));
  EXPECT_EQ(reshape(x, {2, 3}), x);
  EXPECT_THROW(reshape(x, {4, -1}), GraphError);
  EXPECT_THROW(reshape(x, {5}), GraphError);
}

TEST(Structural, CutsAndJoinsAlongAnAxisFromTheRight) {
  Sheet s;
  const Var x = s.put({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(s.get(slice(x, 0, 1, 3)), (std::vector<float>{2, 3, 5, 6}));
  EXPECT_EQ(s.get(slice(x, 1, 1, 2)), (std::vector<float>{4, 5, 6}));
  EXPECT_EQ(s.get(pad(slice(x, 0, 1, 2), 0, 1, 1)), (std::vector<float>{0, 2, 0, 0, 5, 0}));
  EXPECT_EQ(s.get(concat(std::vector{x, slice(x, 0, 0, 1)}, 0)),
            (std::vector<float>{1, 2, 3, 1, 4, 5, 6, 4}));
  EXPECT_THROW(slice(x, 0, 2, 4), GraphError);
  EXPECT_THROW(slice(x, 2, 0, 1), GraphError);
  EXPECT_THROW(concat(std::vector{x, s.row({1})}, 0), GraphError);
}

TEST(Structural, PacksWithZerosBetween) {
  Sheet s;
  const Var a = s.put({1, 2}, {1, 2}), b = s.row({3});
  const FlatLayout layout{
      .names = {"a", "b"}, .offsets = {0, 64}, .size = 128, .dtype = DType::f32};
  std::vector<float> want(128);
  want[0] = 1, want[1] = 2, want[64] = 3;
  EXPECT_EQ(s.get(pack(std::vector{a, b}, layout)), want);
  EXPECT_THROW(pack(std::vector{a}, layout), GraphError);
}

TEST(Structural, PacksWhatIsProducedInPlace) {
  Sheet s;
  const Var a = s.put({1, 2}, {1, 2}), b = s.row({3});
  const FlatLayout layout{
      .names = {"a", "b"}, .offsets = {0, 64}, .size = 128, .dtype = DType::f32};
  const Var packed = pack(std::vector{square(a), exp(b)}, layout);
  s.graph.output("packed", packed);
  Store store(open_device("cpu"));
  Program program(s.graph, store);
  for (const auto& [name, value] : s.leaves) store.write(name, value);
  program.run(2);
  const HostTensor planned = program.output("packed");
  EXPECT_EQ(s.get(packed),
            std::vector<float>(planned.as<float>().begin(), planned.as<float>().end()));
  EXPECT_EQ(program.plan().total().launches, 2);  // the functions; packing has nothing left to do
}

TEST(Structural, ComparesAndKeepsMaxima) {
  Sheet s;
  const Var x = s.put({2, 3}, {-1, 0, 5, 2, kInfinity, 4});
  EXPECT_EQ(s.get(greater(x, 0)), (std::vector<float>{0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(s.get(max_cols(x, s.row({3, 3, 3}))), (std::vector<float>{3, kInfinity, 5}));
  EXPECT_EQ(s.get(cast(s.put<uint8_t>({2}, {0, 255}), DType::f32)), (std::vector<float>{0, 255}));
}

}  // namespace
}  // namespace latent
