// Every pass: what it puts in the place of what, and that no result changes.
#include "core/graph/passes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/graph/autodiff.h"
#include "kernels/conv/window.h"
#include "kernels/functions.h"
#include "kernels/ops.h"
#include "tests/small_models.h"

namespace latent {
namespace {

/// The pass, and nodes that it left without a reader dropped.
Graph run_pass(const Graph& graph, const std::string& name) {
  for (const Pass& pass : passes())
    if (pass.name == name) return rewrite(pass.run(graph), [](GraphRewriter&, int) {});
  throw std::logic_error("no pass is called " + name);
}

int count(const Graph& graph, const std::string& op) {
  return static_cast<int>(std::ranges::count_if(
      graph.nodes(), [&](const Node& n) { return !n.leaf() && n.op.name() == op; }));
}

Var input(Graph& graph, const std::string& name, const Shape& shape, DType dtype = DType::f64) {
  return graph.variable(
      {.name = name, .type = {dtype, shape}, .role = Role::constant, .init = {}, .group = ""});
}

std::map<std::string, HostTensor> evaluate(const Graph& graph, const Values& leaves) {
  std::vector<Var> wanted;
  for (const auto& [name, v] : graph.outputs()) wanted.push_back(v);
  const auto values = interpret(graph, leaves, *open_device("cpu"), wanted);
  std::map<std::string, HostTensor> result;
  for (size_t i = 0; i < wanted.size(); ++i) result[graph.outputs()[i].first] = values[i];
  return result;
}

/// Largest difference of two tensors of reals over the largest value.
double difference(const HostTensor& a, const HostTensor& b) {
  EXPECT_EQ(a.type, b.type);
  double worst = 0, largest = 1e-30;
  for (int64_t i = 0; i < a.type.elements(); ++i) {
    const bool f64 = a.type.dtype == DType::f64;
    const double x = f64 ? a.as<double>()[i] : a.as<float>()[i];
    const double y = f64 ? b.as<double>()[i] : b.as<float>()[i];
    worst = std::max(worst, std::abs(x - y));
    largest = std::max(largest, std::abs(y));
  }
  return worst / largest;
}

void expect_same(const Graph& after, const Graph& before, const Values& leaves, double tolerance) {
  const auto is = evaluate(after, leaves), was = evaluate(before, leaves);
  ASSERT_EQ(is.size(), was.size());
  for (const auto& [name, value] : was)
    EXPECT_LE(difference(is.at(name), value), tolerance) << name;
}

Values drawn(const Graph& graph) {
  std::mt19937_64 engine(7);
  Values leaves;
  for (const auto& [name, v] : graph.variables()) {
    leaves[name] = HostTensor(v.type);
    draw(leaves[name], engine, 0.2, 1);
  }
  return leaves;
}

/// A model's loss and all its gradients as outputs.
struct Step : Problem {
  explicit Step(const std::string& model, DType real = DType::f64)
      : Problem(small_model(model), 5, real) {
    const std::vector<Var> gradients = gradient(loss, parameters);
    graph.output("loss", loss);
    for (size_t i = 0; i < gradients.size(); ++i)
      graph.output(name_of(parameters[i]), gradients[i]);
  }
};

/// The graph before pass `name` runs, as optimise() would have it.
Graph until(const Graph& graph, const std::string& name) {
  Graph result = common_subexpressions(graph);
  for (const Pass& pass : passes()) {
    if (pass.name == name) break;
    result = pass.run(result);
  }
  return result;
}

const std::string kSparse = "05 sparse rows as entries", kFold = "10 fold constants",
                  kOutputs = "20 gradients from outputs",
                  kContractive = "25 contractive from outputs",
                  kForward = "30 activation into linear",
                  kPool = "35 pool gradient behind the activation's",
                  kBackward = "40 activation gradient into product",
                  kLoss = "50 loss with its gradient",
                  kWeight = "60 bias gradient into weight gradient",
                  kAddition = "70 sum where a summand is made";

const char* const kModels[] = {
    "encoder: [{dense: 5, activation: relu}], bottleneck: {dense: 3, activation: relu}, "
    "likelihood: bce",
    "encoder: [{dense: 5, activation: tanh}], bottleneck: {dense: 3, activation: sigmoid}, "
    "decoder: "
    "{mirror: tied}, likelihood: gaussian",
    "encoder: [{dense: [5, 4], activation: gelu}], bottleneck: {dense: 3, activation: silu}, "
    "likelihood: {mse: {link: sigmoid}}, penalties: [{weight_decay: 0.01}]",
    "encoder: [{dense: 5, bias: false}, elu, softplus], bottleneck: identity, likelihood: mae, "
    "penalties: [{weight_decay: 0.1, schedule: constant}]",
    "encoder: [{dense: 5, activation: sigmoid}], bottleneck: {dense: 3, activation: tanh}, "
    "likelihood: bce, penalties: [{l1: 0.1}, {kl_sparsity: 0.2, at: encoder.0}, {jacobian: 0.3, "
    "at: encoder.0}, {jacobian: 0.4, label: deep}]",
};

TEST(Passes, AreTheseInThisOrder) {
  std::vector<std::string> names;
  for (const Pass& pass : passes()) names.push_back(pass.name);
  EXPECT_EQ(names, (std::vector<std::string>{kSparse, kFold, kOutputs, kContractive, kForward,
                                             kPool, kBackward, kLoss, kWeight, kAddition}));
}

TEST(Passes, ChangeNoResult) {
  for (const char* model : kModels) {
    SCOPED_TRACE(model);
    for (const DType real : {DType::f64, DType::f32}) {
      const double tolerance = real == DType::f64 ? 1e-12 : 1e-5;
      const Step p(model, real);
      Graph before = common_subexpressions(p.graph);
      expect_same(before, p.graph, p.leaves, 0);
      for (const Pass& pass : passes()) {
        SCOPED_TRACE(pass.name);
        Graph after = pass.run(before);
        expect_same(after, before, p.leaves, tolerance);
        before = std::move(after);
      }
      expect_same(optimise(p.graph), p.graph, p.leaves, tolerance);
      EXPECT_LT(before.nodes().size(), p.graph.nodes().size());
    }
  }
}

TEST(Passes, AreDoneAfterOneRound) {
  for (const char* model : kModels) {
    const Graph once = optimise(Step(model).graph), twice = optimise(once);
    EXPECT_EQ(once.nodes().size(), twice.nodes().size()) << model;
  }
}

TEST(CommonSubexpressions, EqualOpsOnEqualInputsAreOneNode) {
  Graph g;
  const Var x = input(g, "x", {3}), y = input(g, "y", {3});
  const Var a = square(x), b = square(x);
  g.output("sum", affine(a, 2, 1) + affine(b, 2, 1));  // equal once their inputs are
  g.output("others", affine(x, 2, 1) + affine(x, 2, 0) + square(y));
  const Graph after = common_subexpressions(g);
  EXPECT_EQ(count(after, "square"), 2);
  EXPECT_EQ(count(after, "affine"), 3);
  expect_same(after, g, drawn(g), 0);
}

TEST(DeadNodes, AreDroppedAndVariablesKeepTheirPlaces) {
  Graph g;
  const auto member = [&](const std::string& name, int64_t n) {
    return g.variable({.name = name,
                       .type = {DType::f32, {n}},
                       .role = Role::parameter,
                       .init = {},
                       .group = "parameters"});
  };
  member("unused.0", 5);
  const Var w = member("used", 70);
  member("unused.1", 3);
  square(w);
  g.output("y", exp(w));
  const Graph after = optimise(g);
  EXPECT_EQ(count(after, "square"), 0);
  EXPECT_EQ(after.nodes().size(), 2u);
  EXPECT_EQ(after.variable_order(), g.variable_order());
  EXPECT_EQ(after.layout("parameters").offsets, (std::vector<int64_t>{0, 64, 192}));
  EXPECT_EQ(after.layout("parameters").names, g.layout("parameters").names);
}

TEST(DeadNodes, AssignmentsAndOutputsSurvive) {
  Graph g;
  const Var w = g.variable(
      {.name = "w", .type = {DType::f32, {2}}, .role = Role::state, .init = {}, .group = ""});
  g.assign(w, 2 * w);
  g.output("before", w);
  const Graph after = optimise(g);
  ASSERT_EQ(after.assignments().size(), 1u);
  ASSERT_EQ(after.outputs().size(), 1u);
  EXPECT_EQ(after.node(after.assignments()[0].leaf).variable, "w");
  EXPECT_EQ(after.node(after.outputs()[0].second).variable, "w");
}

TEST(FoldConstants, ArithmeticOnConstantsIsDoneHere) {
  Graph g;
  const auto c = [&](double value) { return fill(g, {DType::f64, {2, 3}}, value); };
  g.output("all constant", (c(2) + c(3)) * c(4) - c(1));
  g.output("sum", sum(affine(c(2), 3, 1)));
  g.output("view", reshape(broadcast_to(fill(g, {DType::f64, {3}}, 5), {2, 3}), {6}));
  const Graph after = run_pass(g, kFold);
  EXPECT_EQ(count(after, "fill"), static_cast<int>(after.nodes().size()));
  expect_same(after, g, drawn(g), 0);
}

TEST(FoldConstants, OneConstantMakesAnAffine) {
  const auto folded = [](const std::function<Var(Var x, Var c)>& f, const std::string& op) {
    Graph g;
    const Var x = input(g, "x", {4});
    g.output("y", f(x, fill_like(x, 8)));
    const Graph after = run_pass(g, kFold);
    expect_same(after, g, drawn(g), 1e-15);
    EXPECT_EQ(count(after, "fill"), op == "div" ? 1 : 0);
    EXPECT_EQ(count(after, op), 1);
  };
  folded([](Var x, Var c) { return x + c; }, "affine");
  folded([](Var x, Var c) { return c + x; }, "affine");
  folded([](Var x, Var c) { return x - c; }, "affine");
  folded([](Var x, Var c) { return c - x; }, "affine");
  folded([](Var x, Var c) { return c * x; }, "affine");
  folded([](Var x, Var c) { return x / c; }, "affine");
  folded([](Var x, Var c) { return c / x; }, "div");
}

TEST(FoldConstants, TheIdentityGoes) {
  Graph g;
  const Var x = input(g, "x", {4});
  g.output("y", exp(affine(x, 1, 0)));
  g.output("z", square(x * fill_like(x, 1)) + fill_like(x, 0));
  const Graph after = run_pass(g, kFold);
  EXPECT_EQ(after.nodes().size(), 3u);  // x, exp, square
  expect_same(after, g, drawn(g), 0);
}

TEST(FoldConstants, BroadcastingStays) {
  Graph g;
  const Var x = input(g, "x", {3});
  g.output("y", x * fill(g, {DType::f64, {2, 3}}, 2));
  const Graph after = run_pass(g, kFold);
  expect_same(after, g, drawn(g), 0);
}

TEST(GradientsFromOutputs, NeedTheInputNoLonger) {
  Graph g;
  const Var x = input(g, "x", {4});
  const Var y = tanh(x);
  g.output("y", y);
  g.output("dx", gradient(sum(y), std::vector{x})[0]);
  const Graph before = common_subexpressions(g), after = run_pass(before, kOutputs);
  EXPECT_EQ(count(before, "tanh.gradient1"), 1);
  EXPECT_EQ(count(after, "tanh.gradient1"), 0);
  EXPECT_EQ(count(after, "tanh.output_gradient"), 1);
  expect_same(after, g, drawn(g), 1e-14);
}

TEST(GradientsFromOutputs, StayWhereThereIsNoOutput) {
  Graph g;
  const Var x = input(g, "x", {4});
  const Var y = tanh(x);
  g.output("dx", gradient(sum(y), std::vector{x})[0]);  // y itself is dead
  g.output("gelu", gradient(sum(gelu(x)), std::vector{x})[0]);
  g.output("y", gelu(x));
  const Graph after = run_pass(common_subexpressions(g), kOutputs);
  EXPECT_EQ(count(after, "tanh.gradient1"), 1);
  EXPECT_EQ(count(after, "gelu.gradient1"), 1);
  expect_same(after, g, drawn(g), 0);
}

TEST(ActivationIntoLinear, BothLayoutsAndEveryActivation) {
  for (const PointwiseFamily* family : pointwise_families()) {
    if (!family->activation || family->name == "linear") continue;
    for (const bool trans_w : {true, false}) {
      Graph g;
      const Var x = input(g, "x", {2, 3});
      const Var w = input(g, "w", trans_w ? Shape{4, 3} : Shape{3, 4}), b = input(g, "b", {4});
      g.output("y", apply(family->forward, {linear(x, w, b, trans_w)}));
      g.output("without bias", apply(family->forward, {linear(x, w, {}, trans_w)}));
      const Graph after = run_pass(g, kForward);
      EXPECT_EQ(count(after, "linear." + family->name), 2);
      EXPECT_EQ(count(after, "linear"), 0);
      expect_same(after, g, drawn(g), 1e-14);
    }
  }
}

TEST(ActivationIntoLinear, NotWhereTheValueBeforeIsReadToo) {
  Graph g;
  const Var x = input(g, "x", {2, 3}), w = input(g, "w", {4, 3}), b = input(g, "b", {4});
  const Var pre = linear(x, w, b);
  g.output("y", relu(pre));
  g.output("pre", pre);
  const Graph after = run_pass(g, kForward);
  EXPECT_EQ(count(after, "linear"), 1);
  EXPECT_EQ(count(after, "relu"), 1);
}

/// Two convolutions with an activation and a max pool between them, and the gradient in the first one's weight.
TEST(PoolGradientBehindTheActivations, LetsTheConvolutionHaveIt) {
  Graph g;
  const Window same = window_over({7, 6}, {3, 3}, {1, 1}, Padding::same),
               pool = window_over({7, 6}, {2, 2}, {2, 2}, Padding::valid),
               next = window_over({3, 3}, {3, 3}, {1, 1}, Padding::same);
  const Var x = input(g, "x", {2, 7, 6, 2}), w = input(g, "w", {4, 3, 3, 2}),
            v = input(g, "v", {3, 3, 3, 4});
  const Var z = conv(max_pool(relu(conv(x, w, same)), pool), v, next);
  g.output("dw", gradient(sum(z * z), std::vector{w})[0]);
  Values leaves;
  std::mt19937_64 engine(7);
  for (const auto& [name, variable] : g.variables()) {
    leaves[name] = HostTensor(variable.type);
    draw(leaves[name], engine, -1, 1);
  }
  const Graph before = until(g, kPool), after = run_pass(before, kPool);
  EXPECT_EQ(count(before, "relu.output_gradient"), 1);
  expect_same(after, before, leaves, 0);
  const Graph all = optimise(g);
  EXPECT_EQ(count(all, "relu.output_gradient"), 0);
  EXPECT_EQ(count(all, "conv.relu_gradient"), 1);
  expect_same(all, g, leaves, 1e-13);
}

TEST(ActivationGradientIntoProduct, BothLayouts) {
  for (const char* decoder : {"mirror", "{mirror: tied}"}) {
    const Step p(
        cat("bottleneck: {dense: 3, activation: sigmoid}, likelihood: bce, decoder: ", decoder));
    const Graph before = until(p.graph, kBackward), after = run_pass(before, kBackward);
    EXPECT_EQ(count(before, "sigmoid.output_gradient"), 1) << decoder;
    EXPECT_EQ(count(after, "sigmoid.output_gradient"), 0) << decoder;
    EXPECT_EQ(count(after, "matmul.sigmoid_gradient"), 1) << decoder;
    expect_same(after, before, p.leaves, 1e-13);
  }
}

TEST(ActivationGradientIntoProduct, NotWhereTheProductIsReadToo) {
  Graph g;
  const Var x = input(g, "x", {2, 4}), g_in = input(g, "g", {2, 3}), w = input(g, "w", {3, 4});
  const Var y = tanh(x), product = matmul(g_in, w);
  g.output("y", y);
  g.output("product", product);
  g.output("dx", pullback(y, std::vector{x}, product)[0]);
  const Graph after = run_pass(run_pass(common_subexpressions(g), kOutputs), kBackward);
  EXPECT_EQ(count(after, "matmul"), 1);
  EXPECT_EQ(count(after, "tanh.output_gradient"), 1);
}

TEST(LossWithItsGradient, IsOneNode) {
  const std::pair<const char*, const char*> losses[] = {
      {"bce", "bernoulli_nll"},
      {"gaussian", "gaussian_nll"},
      {"{gaussian: {variance: learned}}", "gaussian_nll.shared"},
      {"{gaussian: {variance: per_element}}", "gaussian_nll.pairs"},
      {"laplace", "laplace_nll"},
      {"multinomial", "multinomial_nll"},
      {"mse", "mean_squared_error"},
      {"mae", "mean_absolute_error"}};
  for (const auto& [likelihood, op] : losses) {
    const Step p(cat("bottleneck: {dense: 3}, likelihood: ", likelihood));
    const Graph before = until(p.graph, kLoss), after = run_pass(before, kLoss);
    EXPECT_EQ(count(before, op), 1) << op;
    EXPECT_EQ(count(before, cat(op, ".gradient")), 1) << op;
    EXPECT_EQ(count(after, op), 0) << op;
    EXPECT_EQ(count(after, cat(op, ".gradient")), 0) << op;
    EXPECT_EQ(count(after, cat(op, ".with_gradient")), 1) << op;
    expect_same(after, before, p.leaves, 1e-14);
  }
}

/// With weights, with several predictions of a target, and with both.
TEST(LossWithItsGradient, IsOneNodeForWeightsAndSamples) {
  for (const int64_t samples : {1, 3})
    for (const bool weights : {false, true}) {
      Graph g;
      const Var o = input(g, "o", {4 * samples, 3}), x = input(g, "x", {4, 3});
      const Var loss = mean(bernoulli_nll(o, x, weights ? input(g, "w", {4, 3}) : Var{}));
      g.output("loss", loss);
      g.output("do", gradient(loss, std::vector{o})[0]);
      const Graph after = optimise(g);
      EXPECT_EQ(count(after, "bernoulli_nll"), 0);
      EXPECT_EQ(count(after, "bernoulli_nll.with_gradient"), 1);
      expect_same(after, g, drawn(g), 1e-14);
    }
}

TEST(LossWithItsGradient, NotForACotangentThatIsNoConstant) {
  Graph g;
  const Var o = input(g, "o", {4, 3}), x = input(g, "x", {4, 3}), h = input(g, "h", {4});
  g.output("loss", bernoulli_nll(o, x));
  g.output("do", gradient(sum(h * bernoulli_nll(o, x)), std::vector{o})[0]);
  const Graph after = optimise(g);
  EXPECT_EQ(count(after, "bernoulli_nll"), 1);
  EXPECT_EQ(count(after, "bernoulli_nll.gradient"), 1);
  expect_same(after, g, drawn(g), 1e-14);
}

TEST(ContractiveFromOutputs, NotWhereThereIsNoOutputOrNoFormula) {
  for (const char* activation : {"linear", "gelu"}) {
    const Step p(cat("bottleneck: {dense: 3, activation: ", activation,
                     "}, likelihood: bce, penalties: [{jacobian: 0.5}]"));
    const Graph before = until(p.graph, kContractive), after = run_pass(before, kContractive);
    EXPECT_EQ(count(after, cat("contractive.", activation)), 1);
    expect_same(after, before, p.leaves, 0);
  }
}

TEST(BiasGradientWithWeightGradient, IsOneNodeALayer) {
  for (const char* decoder : {"mirror", "{mirror: tied}"}) {
    const Step p(
        cat("encoder: [{dense: 5, activation: relu}], bottleneck: {dense: 3}, "
            "likelihood: bce, decoder: ",
            decoder));
    const Graph before = until(p.graph, kWeight), after = run_pass(before, kWeight);
    EXPECT_EQ(count(after, "linear.weight_gradient"), 4) << decoder;
    EXPECT_EQ(count(after, "sum"), count(before, "sum") - 4) << decoder;
    expect_same(after, before, p.leaves, 1e-13);
  }
}

TEST(SumWhereASummandIsMade, SparesTheAddition) {
  for (const char* more :
       {"penalties: [{kl_sparsity: 0.5}]", "penalties: [{jacobian: 0.5}]",
        "decoder: {mirror: tied}", "decoder: {mirror: tied}, penalties: [{jacobian: 0.5}]"}) {
    SCOPED_TRACE(more);
    const Step p(cat("bottleneck: {dense: 3, activation: sigmoid}, likelihood: bce, ", more));
    const Graph before = until(p.graph, kAddition), after = run_pass(before, kAddition);
    const auto sums_of_arrays = [](const Graph& g) {
      return std::ranges::count_if(g.nodes(), [](const Node& n) {
        return !n.leaf() && n.op.name() == "add" && n.types[0].elements() > 1;
      });
    };
    EXPECT_GT(sums_of_arrays(before), 0);
    EXPECT_EQ(sums_of_arrays(after), 0);
    expect_same(after, before, p.leaves, 1e-14);
  }
}

TEST(SumWhereASummandIsMade, NotOfAValueThatOthersRead) {
  Graph g;
  const Var x = input(g, "x", {4, 3}), w = input(g, "w", {2, 3}), y = input(g, "y", {4, 2});
  const Var product = matmul(x, w, false, true);
  g.output("sum", product + y);
  g.output("product", product);
  const Graph after = run_pass(g, kAddition);
  EXPECT_EQ(count(after, "add"), 1);
  expect_same(after, g, drawn(g), 0);
}

TEST(BiasGradientWithWeightGradient, NotWithoutABias) {
  const Step p(
      "bottleneck: {dense: 3, bias: false}, output: {dense: {bias: false}}, likelihood: bce");
  EXPECT_EQ(count(optimise(p.graph), "linear.weight_gradient"), 0);
}

/// The whole step of the article's simple autoencoder, node by node.
TEST(Passes, OfASimpleModelSixKernelsRemain) {
  const Step p("bottleneck: {dense: 3, activation: relu}, likelihood: bce");
  const Graph after = optimise(p.graph);
  for (const char* op :
       {"linear.relu", "linear", "bernoulli_nll.with_gradient", "matmul.relu_gradient"})
    EXPECT_EQ(count(after, op), 1) << op;
  EXPECT_EQ(count(after, "linear.weight_gradient"), 2);
}

}  // namespace
}  // namespace latent
