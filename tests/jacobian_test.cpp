// The contractive penalty: its estimators against each other, against finite differences of the encoder, and its gradient.
#include "models/jacobian.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/graph/autodiff.h"
#include "core/graph/passes.h"
#include "core/plan/plan.h"
#include "kernels/ops.h"
#include "tests/small_training.h"

namespace latent {
namespace {

std::vector<double> numbers(const Problem& p, Var v) {
  const HostTensor t = interpret(p.graph, p.leaves, *open_device("cpu"), std::vector{v})[0];
  const auto values = t.as<double>();
  return {values.begin(), values.end()};
}

/// The penalty's term, one number a row.
Var term_of(const Problem& p) {
  for (const Term& term : p.forward.terms)
    if (term.name == "jacobian") return term.value;
  throw std::logic_error("no jacobian");
}

/// An encoder of `layers` dense layers that ends in a code of `code` units.
std::string encoder_of(int layers, const std::string& activation, int code = 3) {
  std::string text = "encoder: [";
  for (int i = 1; i < layers; ++i)
    text += cat(i > 1 ? ", " : "", "{dense: ", 4 + i, ", activation: ", activation, "}");
  return cat(text, "], bottleneck: {dense: ", code, ", activation: ", activation,
             "}, likelihood: bce");
}

std::string with_penalty(const std::string& model, const std::string& options) {
  return cat(model, ", penalties: [{jacobian: {weight: 0.5", options.empty() ? "" : ", ", options,
             "}}]");
}

/// ||dh/dx||_F^2 of each row, by central differences of the code, an input element at a time.
std::vector<double> by_differences(Problem& p) {
  const Var h = p.forward.code.value;
  const int64_t rows = h.shape()[0], units = elements_of_row(h);
  const int64_t inputs = p.leaves.at("x").type.elements() / rows;
  std::vector<double> sums(rows);
  const double step = 1e-5;
  for (int64_t i = 0; i < inputs; ++i) {
    std::vector<double> at[2];
    for (const int side : {0, 1}) {
      for (int64_t r = 0; r < rows; ++r)
        p.leaves.at("x").as<double>()[r * inputs + i] += side ? step : -step;
      at[side] = numbers(p, h);
      for (int64_t r = 0; r < rows; ++r)
        p.leaves.at("x").as<double>()[r * inputs + i] -= side ? step : -step;
    }
    for (int64_t k = 0; k < rows * units; ++k)
      sums[k / units] += std::pow((at[1][k] - at[0][k]) / (2 * step), 2);
  }
  return sums;
}

/// d/dt of the mean of the term, along a drawn direction of all parameters: by graph, by differences.
void expect_gradient(Problem& p) {
  const Var value = mean(term_of(p));
  Var slope;
  std::vector<std::string> names;
  const std::vector<Var> slopes = gradient(value, p.parameters);
  for (size_t i = 0; i < slopes.size(); ++i) {
    names.push_back(cat("direction", i));
    const Var part = sum(slopes[i] * p.constant(names.back(), slopes[i].type()));
    slope = slope ? slope + part : part;
  }
  const double by_graph = numbers(p, slope)[0], step = 1e-5;
  double at[2];
  for (const int side : {0, 1}) {
    const Values saved = p.leaves;
    for (size_t i = 0; i < names.size(); ++i) {
      const auto along = saved.at(names[i]).as<double>();
      const auto w = p.leaves.at(p.name_of(p.parameters[i])).as<double>();
      for (size_t j = 0; j < w.size(); ++j) w[j] += (side ? step : -step) * along[j];
    }
    at[side] = numbers(p, value)[0];
    p.leaves = saved;
  }
  EXPECT_NEAR(by_graph, (at[1] - at[0]) / (2 * step), 1e-6 * (1 + std::abs(by_graph)));
}

struct Encoder {
  int layers;
  std::string activation;
  int code;  ///< 9 is more than the 6 inputs: tangents are fewer
  friend void PrintTo(const Encoder& e, std::ostream* out) {
    *out << e.layers << " " << e.activation << " " << e.code;
  }
};

class Jacobian : public testing::TestWithParam<Encoder> {};

TEST_P(Jacobian, EstimatorsAgreeWithFiniteDifferences) {
  const auto& [layers, activation, code] = GetParam();
  const std::string model = encoder_of(layers, activation, code);
  Problem automatic(small_model(with_penalty(model, "")), 4, DType::f64);
  const std::vector<double> want = by_differences(automatic);
  std::vector<std::string> estimators{"exact", "auto"};
  if (layers == 1) estimators.push_back("closed");
  for (const std::string& estimator : estimators) {
    SCOPED_TRACE(estimator);
    Problem p(small_model(with_penalty(model, "estimator: " + estimator)), 4, DType::f64);
    const std::vector<double> is = numbers(p, term_of(p));
    ASSERT_EQ(is.size(), want.size());
    for (size_t r = 0; r < want.size(); ++r)
      EXPECT_NEAR(is[r], want[r], 1e-7 * (1 + want[r])) << "row " << r;
    expect_gradient(p);
  }
}

TEST_P(Jacobian, HutchinsonIsRightInTheMean) {
  const auto& [layers, activation, code] = GetParam();
  // The deviation of the mean is 0.2 to 0.6 % here: the Jacobians are near rank 1, where probes vary most.
  constexpr int64_t kRows = 16;
  const std::string model = encoder_of(layers, activation, code);
  Problem exact(small_model(with_penalty(model, "estimator: exact")), kRows, DType::f64);
  Problem random(small_model(with_penalty(model, "estimator: hutchinson, probes: 4000")), kRows,
                 DType::f64);
  double want = 0, is = 0;
  for (const double v : numbers(exact, term_of(exact))) want += v;
  for (const double v : numbers(random, term_of(random))) is += v;
  EXPECT_NEAR(is, want, 0.01 * want);
  Problem few(small_model(with_penalty(model, "estimator: hutchinson, probes: 2")), 4, DType::f64);
  expect_gradient(few);
}

std::vector<Encoder> encoders() {
  std::vector<Encoder> all;
  for (const int layers : {1, 2, 4})
    for (const char* activation : {"sigmoid", "tanh", "relu"})
      for (const int code : {3, 9}) all.push_back({layers, activation, code});
  return all;
}
INSTANTIATE_TEST_SUITE_P(All, Jacobian, testing::ValuesIn(encoders()), [](const auto& info) {
  return cat(info.param.layers, "_", info.param.activation, "_", info.param.code);
});

/// The closed form of every activation, through the passes that take it from outputs, against the exact one.
TEST(JacobianClosed, EveryActivationPlannedOrNot) {
  for (const PointwiseFamily* family : pointwise_families()) {
    if (!family->activation) continue;
    SCOPED_TRACE(family->name);
    const std::string model = encoder_of(1, family->name);
    std::map<std::string, std::vector<HostTensor>> results;
    for (const char* estimator : {"closed", "exact"}) {
      Problem p(small_model(with_penalty(model, cat("estimator: ", estimator))), 5, DType::f64);
      std::vector<Var> wanted = gradient(p.loss, p.parameters);
      wanted.insert(wanted.begin(), term_of(p));
      for (size_t i = 0; i < wanted.size(); ++i) p.graph.output(cat("wanted", i), wanted[i]);
      const Graph after = optimise(p.graph);
      std::vector<Var> planned;
      for (const auto& [name, v] : after.outputs()) planned.push_back(v);
      results[estimator] = interpret(after, p.leaves, *open_device("cpu"), planned);
    }
    for (size_t i = 0; i < results["closed"].size(); ++i) {
      const auto closed = results["closed"][i].as<double>(),
                 exact = results["exact"][i].as<double>();
      for (size_t k = 0; k < closed.size(); ++k)
        EXPECT_NEAR(closed[k], exact[k], 1e-9 * (1 + std::abs(exact[k]))) << i;
    }
  }
}

TEST(JacobianClosed, TiedAndUntiedAlike) {
  const std::string model = encoder_of(1, "sigmoid");
  for (const char* weights : {"untied", "tied"}) {
    SCOPED_TRACE(weights);
    Problem p(small_model(with_penalty(cat(model, ", decoder: {mirror: ", weights, "}"), "")), 4,
              DType::f64);
    const std::vector<double> want = by_differences(p), is = numbers(p, term_of(p));
    for (size_t r = 0; r < want.size(); ++r) EXPECT_NEAR(is[r], want[r], 1e-7 * (1 + want[r]));
    expect_gradient(p);
  }
}

TEST(JacobianClosed, IsTheFusedOpFromOutputs) {
  Problem p(small_model(with_penalty(encoder_of(1, "sigmoid"), "")), 4, DType::f64);
  p.graph.output("loss", p.loss);
  p.graph.output("term", term_of(p));
  for (const Var& g : gradient(p.loss, p.parameters)) p.graph.output(cat("g", g.node), g);
  int from_output = 0, gradients = 0, linear = 0;
  const Graph after = optimise(p.graph);
  for (const Node& node : after.nodes()) {
    if (node.leaf()) continue;
    from_output += node.op.name() == "contractive.sigmoid.from_output";
    gradients += node.op.name() == "contractive.sigmoid.output_gradient";
    linear += node.op.name() == "linear.sigmoid";
  }
  EXPECT_EQ(from_output, 1);
  EXPECT_EQ(gradients, 1);
  EXPECT_EQ(linear, 1) << "the activation is the epilogue of its product";
}

/// E_eps ||J(x) - J(x + eps)||^2 for small eps is std^2 times the squared norm of the Hessian.
TEST(JacobianHessian, IsTheSquaredHessianForSmallNoise) {
  for (const int layers : {1, 2}) {
    for (const char* estimator : {"closed", "exact"}) {
      if (layers > 1 && estimator == std::string("closed")) continue;
      SCOPED_TRACE(cat(layers, " ", estimator));
      const std::string model = encoder_of(layers, "tanh");
      const double std = 1e-3;
      Problem with(small_model(with_penalty(model, cat("estimator: ", estimator,
                                                       ", hessian: {std: 0.001, samples: 2000, "
                                                       "weight: 1.0e+6}"))),
                   2, DType::f64);
      Problem without(small_model(with_penalty(model, cat("estimator: ", estimator))), 2,
                      DType::f64);
      const std::vector<double> both = numbers(with, term_of(with)),
                                first = numbers(without, term_of(without));
      // ||d J / d x||^2 by central differences of the whole Jacobian.
      const Var x = without.graph.variable({.name = "x",
                                            .type = without.leaves.at("x").type,
                                            .role = Role::constant,
                                            .init = {},
                                            .group = ""});
      const JacobianSeeds seeds =
          unit_seeds(x, without.forward.code.value, JacobianSeeds::Side::outputs);
      const Var j = jacobian_products(x, without.forward.code.value, seeds);
      const double h = 1e-5;
      for (int64_t row = 0; row < 2; ++row) {
        double squares = 0;
        for (int64_t i = 0; i < 6; ++i) {
          std::vector<double> at[2];
          for (const int side : {0, 1}) {
            without.leaves.at("x").as<double>()[row * 6 + i] += side ? h : -h;
            at[side] = numbers(without, j);
            without.leaves.at("x").as<double>()[row * 6 + i] -= side ? h : -h;
          }
          for (size_t k = 0; k < at[0].size(); ++k)
            squares += std::pow((at[1][k] - at[0][k]) / (2 * h), 2);
        }
        const double want = squares * std * std * 1e6;
        EXPECT_NEAR(both[row] - first[row], want, 0.1 * want);
      }
      Problem few(small_model(with_penalty(
                      model, cat("estimator: ", estimator, ", hessian: {std: 0.3, samples: 3}"))),
                  4, DType::f64);
      expect_gradient(few);
    }
  }
}

TEST(JacobianHessian, ByHutchinson) {
  const std::string model = encoder_of(2, "tanh"), noise = ", hessian: {std: 0.2, samples: 300}";
  Problem exact(small_model(with_penalty(model, "estimator: exact" + noise)), 4, DType::f64);
  Problem random(small_model(with_penalty(model, "estimator: hutchinson, probes: 300" + noise)), 4,
                 DType::f64);
  double want = 0, is = 0;
  for (const double v : numbers(exact, term_of(exact))) want += v;
  for (const double v : numbers(random, term_of(random))) is += v;
  EXPECT_NEAR(is, want, 0.03 * want);
}

/// A sampled code is given by its mean, which is one value a row.
TEST(JacobianOfACode, ThatIsDrawnIsThatOfItsMean) {
  const std::string model =
      "encoder: [{dense: 5, activation: tanh}], bottleneck: {gaussian: 3, samples: 2}, likelihood: "
      "bce";
  for (const char* options : {"", "hessian: {std: 0.2, samples: 2}"}) {
    Problem p(small_model(with_penalty(model, options)), 4, DType::f64);
    EXPECT_EQ(term_of(p).shape(), Shape{4});
    expect_gradient(p);
  }
}

TEST(JacobianAuto, SaysWhatItTakesAndWhy) {
  const auto notes = [](const std::string& model) {
    Problem p(small_model(model), 2, DType::f64);
    return p.notes;
  };
  using Notes = std::vector<std::string>;
  EXPECT_EQ(notes(with_penalty(encoder_of(1, "tanh"), "")),
            (Notes{"jacobian: estimator closed: one dense layer between input and code"}));
  EXPECT_EQ(notes(with_penalty(encoder_of(2, "tanh"), "")),
            (Notes{"jacobian: estimator exact: several layers before code, 3 cotangents a row (at "
                   "most 32)"}));
  EXPECT_EQ(notes(with_penalty(encoder_of(2, "tanh", 9), "")),
            (Notes{"jacobian: estimator exact: several layers before code, 6 tangents a row (at "
                   "most 32)"}));
  EXPECT_EQ(notes(with_penalty(encoder_of(2, "tanh"), "estimator: exact")), Notes{});
  const Model wide = small_model(with_penalty(encoder_of(2, "tanh", 40), "probes: 2"), {50});
  EXPECT_EQ(Problem(wide, 2, DType::f64).notes,
            (Notes{"jacobian: estimator hutchinson: several layers before code, 40 cotangents a "
                   "row would be more than 32; 2 random ones instead"}));
}

TEST(JacobianRefuses, WhatItCannotDo) {
  const auto message = [](const std::string& model) {
    try {
      Problem p(small_model(model), 2, DType::f64);
    } catch (const UserError& e) {
      return std::string(e.what());
    }
    return std::string("nothing");
  };
  EXPECT_NE(message(with_penalty(encoder_of(2, "tanh"), "estimator: closed"))
                .find("closed is for one dense layer"),
            std::string::npos);
  EXPECT_NE(message(with_penalty(encoder_of(2, "tanh"), "at: decoder.0, hessian: {std: 0.1}"))
                .find("must name a layer of the encoder"),
            std::string::npos);
  EXPECT_NE(message("encoder: [{dense: 4}, batch_norm, tanh], bottleneck: {dense: 3}, likelihood: "
                    "bce, penalties: [{jacobian: 0.5}]")
                .find("batch_norm"),
            std::string::npos);
  EXPECT_EQ(message("encoder: [{dense: 4}, layer_norm, tanh], bottleneck: {dense: 3}, likelihood: "
                    "bce, penalties: [{jacobian: 0.5}]"),
            "nothing");
}

/// The plan of workload e: 784-1000 sigmoid, batch 256.
TEST(JacobianCost, ClosedFormAddsLessThanAHundredthOfTheFlops) {
  const auto flops = [](const std::string& penalties) {
    const Experiment e = small_experiment(
        cat("bottleneck: {dense: 1000, activation: sigmoid}, decoder: {mirror: tied}, likelihood: "
            "bernoulli",
            penalties),
        "epochs: 1, batch_size: 256, optimizer: adam", 400);
    const Graph graph = optimise(training_graph(*e.model, split_source(e, "train"), e.training));
    return make_plan(graph, *open_device("cpu"), {.prepare = false}).total().flops;
  };
  const double plain = flops(""), contractive = flops(", penalties: [{jacobian: 0.1}]");
  EXPECT_GT(contractive, plain);
  EXPECT_LT(contractive, 1.01 * plain);
}

}  // namespace
}  // namespace latent
