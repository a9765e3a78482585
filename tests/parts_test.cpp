// Every registered part: what a model with it minimises has the gradients that central differences have, to order 2.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/config/describe.h"
#include "core/config/registry.h"
#include "core/graph/autodiff.h"
#include "kernels/ops.h"
#include "tests/small_models.h"

namespace latent {
namespace {

struct Case {
  std::string name, model;
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.model; }
};

std::vector<std::string> built(Family family) {
  std::vector<std::string> names;
  for (const std::string& name : names_of(family))
    if (find_choice(family, name)->unbuilt.empty()) names.push_back(name);
  return names;
}

bool has_option(Family family, const std::string& name, std::string_view option) {
  return std::ranges::any_of(options_of(family, *find_choice(family, name)),
                             [&](const Option& o) { return o.name == option; });
}

/// A small model around each part.
std::vector<Case> cases() {
  const std::string encoder = "encoder: [{dense: 5, activation: tanh}], ",
                    code = "bottleneck: {dense: 3, activation: sigmoid}, ";
  std::vector<Case> all;
  for (const std::string& name : built(Family::likelihood)) {
    all.push_back({"likelihood." + name, cat(encoder, code, "likelihood: ", name)});
    for (const char* reduction : {"sum", "mean"})
      if (has_option(Family::likelihood, name, "reduction"))
        all.push_back(
            {cat("likelihood.", name, ".", reduction),
             cat(encoder, code, "likelihood: {", name, ": {reduction: ", reduction, "}}")});
    for (const char* link : {"sigmoid", "tanh"})
      if (has_option(Family::likelihood, name, "link"))
        all.push_back({cat("likelihood.", name, ".", link),
                       cat(encoder, code, "likelihood: {", name, ": {link: ", link, "}}")});
  }
  for (const char* variance : {"0.3", "learned", "per_element"})
    for (const char* link : {"identity", "sigmoid"})
      all.push_back({cat("likelihood.gaussian.variance.", variance, ".", link),
                     cat(encoder, code, "likelihood: {gaussian: {variance: ", variance,
                         ", link: ", link, "}}")});
  all.push_back(
      {"likelihood.laplace.scale", cat(encoder, code, "likelihood: {laplace: {scale: 0.3}}")});
  for (const std::string& name : built(Family::penalty)) {
    std::vector<std::string> places{""};
    if (has_option(Family::penalty, name, "at"))
      places = {"at: code, ", "at: encoder.0, ", "at: encoder.0.pre, ", "at: decoder.0, ",
                "at: hidden, "};
    for (const std::string& at : places)
      all.push_back(
          {cat("penalty.", name, ".", at), cat(encoder, code, "likelihood: bce, penalties: [{",
                                               name, ": {", at, "weight: 0.5}}]")});
  }
  for (const std::string& name : built(Family::activation)) {
    all.push_back({"activation." + name, cat("encoder: [{dense: 5, activation: ", name,
                                             "}], bottleneck: {dense: 3, "
                                             "activation: ",
                                             name, "}, likelihood: mse")});
    if (name != "linear")
      all.push_back(
          {"layer." + name, cat("encoder: [{dense: 5}, ", name, ", {dense: 4, bias: false}, ", name,
                                "], bottleneck: identity, likelihood: bce")});
  }
  for (const std::string& name : built(Family::corruption)) {
    for (const char* options : {"0.4", "{MAIN: 0.4, emphasis: [2, 0.5]}"}) {
      std::string text = options;
      const std::string main = main_of(Family::corruption, *find_choice(Family::corruption, name));
      if (const size_t at = text.find("MAIN"); at != text.npos) text.replace(at, 4, main);
      all.push_back({cat("corruption.", name, text),
                     cat(encoder, code, "likelihood: bce, corruption: {", name, ": ", text, "}")});
    }
  }
  all.push_back({"corruption.list", cat(encoder, code,
                                        "likelihood: mse, corruption: [{masking: 0.2}, {gaussian: "
                                        "{std: 0.3, clip: [0, 1]}}, {salt_and_pepper: 0.2}]")});
  for (const char* weights : {"untied", "tied", "tied_at_start"})
    all.push_back({cat("decoder.mirror.", weights),
                   cat(encoder, code, "likelihood: bce, decoder: {mirror: ", weights, "}")});
  all.push_back(
      {"decoder.list",
       cat(encoder, code, "likelihood: bce, decoder: [{dense: [4, 5], activation: elu}]")});
  all.push_back(
      {"output.none", cat(encoder, code, "likelihood: mse, decoder: [{dense: 6}], output: none")});
  all.push_back(
      {"output.dense", cat(encoder, code, "likelihood: mse, output: {dense: {bias: false}}")});
  all.push_back({"frozen",
                 "encoder: [{dense: 5, activation: tanh, freeze: true}], bottleneck: {dense: "
                 "3}, likelihood: bce, penalties: [{weight_decay: 0.5}]"});
  for (const char* layer : {"batch_norm", "layer_norm", "normalize", "{dropout: 0.4}"})
    all.push_back(
        {cat("layer.", layer), cat("encoder: [", layer, ", {dense: 5, activation: tanh}, ", layer,
                                   "], bottleneck: {dense: 3}, likelihood: bce")});
  for (const char* bottleneck : {"{dense: 3}", "identity", "{topk: 7, k: 3}",
                                 "{topk: 7, k: 3, by: magnitude, activation: tanh}"})
    all.push_back({cat("bottleneck.", bottleneck),
                   cat(encoder, "likelihood: bce, bottleneck: ", bottleneck)});
  all.push_back({"bottleneck.pre_bias",
                 "bottleneck: {topk: 7, k: 4, pre_bias: true, activation: elu}, likelihood: mse, "
                 "output: {dense: {unit_norm: true}}"});
  return all;
}

/// v . direction over all of v, with drawn directions.
Var along(Problem& p, const std::vector<Var>& vs, const std::string& name) {
  Var total;
  for (size_t i = 0; i < vs.size(); ++i) {
    const Var term = sum(vs[i] * p.constant(cat(name, i), vs[i].type()));
    total = total ? total + term : term;
  }
  return total;
}

double number(const Problem& p, Var scalar) {
  return interpret(p.graph, p.leaves, *open_device("cpu"), std::vector{scalar})[0].as<double>()[0];
}

class Part : public testing::TestWithParam<Case> {};

TEST_P(Part, GradientsAreThoseOfFiniteDifferences) {
  SCOPED_TRACE(GetParam().model);
  Problem p(small_model(GetParam().model), 4, DType::f64);
  ASSERT_FALSE(p.parameters.empty());
  Var value = p.loss;
  for (int order = 1; order <= 2; ++order) {
    const std::string direction = cat("direction", order, ".");
    const Var slope = along(p, gradient(value, p.parameters), direction);
    const double step = 1e-5;
    double values[2];
    for (const int side : {0, 1}) {
      const Values saved = p.leaves;
      for (size_t i = 0; i < p.parameters.size(); ++i) {
        const auto move = p.leaves.at(cat(direction, i)).as<double>();
        const auto at = p.leaves.at(p.name_of(p.parameters[i])).as<double>();
        for (size_t j = 0; j < at.size(); ++j) at[j] += (side ? step : -step) * move[j];
      }
      values[side] = number(p, value);
      p.leaves = saved;
    }
    const double by_graph = number(p, slope), by_difference = (values[1] - values[0]) / (2 * step);
    EXPECT_TRUE(std::isfinite(by_graph));
    EXPECT_NEAR(by_graph, by_difference, 1e-7 * (1 + std::abs(by_graph) + std::abs(values[1])))
        << "order " << order;
    value = slope;
  }
}

std::string test_name(const testing::TestParamInfo<Case>& info) {
  std::string name;
  for (const char c : info.param.name)
    if (std::isalnum(static_cast<unsigned char>(c)))
      name += c;
    else if (!name.empty() && name.back() != '_')
      name += '_';
  return name;
}
INSTANTIATE_TEST_SUITE_P(All, Part, testing::ValuesIn(cases()), test_name);

TEST(Parts, TheRegistryIsInOrder) { EXPECT_EQ(check_registry(), std::vector<std::string>()); }

TEST(Parts, EveryBuiltNameIsDescribed) {
  const std::string text = describe_parts();
  for (int family = 0; family < kFamilies; ++family)
    for (const std::string& name : built(static_cast<Family>(family)))
      EXPECT_NE(text.find(name), std::string::npos) << name;
}

}  // namespace
}  // namespace latent
