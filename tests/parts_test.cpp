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
  Shape row = {6};
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

/// Layers on maps, alone and mirrored.
std::vector<Case> map_cases() {
  const std::string bce = "], bottleneck: {dense: 3, activation: tanh}, likelihood: bce";
  std::vector<Case> all;
  for (const char* options : {"", ", stride: 2", ", padding: valid", ", kernel: 2, stride: 2"})
    for (const char* layer : {"conv", "conv_transpose"})
      for (const char* mirror : {"untied", "tied", "tied_at_start"})
        all.push_back({cat("layer.", layer, options, ".", mirror),
                       cat("encoder: [{", layer, ": 2", options, ", activation: tanh}", bce,
                           ", decoder: {mirror: ", mirror, "}"),
                       {4, 4, 2}});
  for (const char* layer : {"max_pool: 2", "avg_pool: 2", "upsample: 2"})
    all.push_back({cat("layer.", layer),
                   cat("encoder: [{conv: 2, activation: tanh}, {", layer, "}", bce),
                   {4, 4, 1}});
  for (const char* layer : {"max_pool: 2, padding: same", "avg_pool: 2, padding: same",
                            "upsample: 2, mode: bilinear", "flatten: {}", "reshape: [12, 1, 3]"})
    all.push_back({cat("layer.", layer),
                   cat("encoder: [{conv: 3, activation: tanh}, {", layer, "}", bce,
                       ", decoder: [{dense: 5, activation: tanh}]"),
                   {3, 4, 2}});
  all.push_back({"layer.flatten.mirror",
                 cat("encoder: [{conv: 3, activation: tanh}, flatten, {dense: 5}", bce),
                 {2, 3, 2}});
  for (const char* output : {"conv: {}", "conv_transpose: {kernel: 4, stride: 2}", "dense: {}"})
    all.push_back(
        {cat("output.", output),
         cat("encoder: [{conv: 2, stride: ", output[4] == ':' ? 1 : 2,
             ", activation: tanh}], bottleneck: identity, likelihood: mse, output: {", output, "}"),
         {4, 4, 1}});
  return all;
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
  const std::string probabilities =
      "encoder: [{dense: 5, activation: sigmoid}], bottleneck: {dense: 3, activation: sigmoid}, ";
  for (const char* options :
       {"l1: {weight: 0.5}", "lp: {weight: 0.5, p: 3}", "kl_sparsity: {weight: 0.5, at: hidden}",
        "jacobian: {weight: 0.5, at: encoder.0}", "jacobian: {weight: 0.5, at: code.pre}",
        "jacobian: {weight: 0.5, estimator: hutchinson, probes: 2}",
        "jacobian: {weight: 0.5, at: encoder.0, hessian: {std: 0.3, samples: 2}}",
        "jacobian: {weight: 0.5, hessian: {std: 0.3, samples: 2, weight: 0.5}}"})
    all.push_back({cat("penalty.of_probabilities.", options),
                   cat(probabilities, "likelihood: bce, penalties: [{", options, "}]")});
  for (const std::string& name : built(Family::penalty)) {
    if (name == "kl_sparsity") continue;  // refuses the tanh of the models below
    std::vector<std::string> places{""};
    if (has_option(Family::penalty, name, "at"))
      places = {"at: code, ", "at: encoder.0, ", "at: encoder.0.pre, ", "at: decoder.0, ",
                "at: hidden, "};
    // Some look at the distribution of the code.
    const bool gaussian = name == "kl" || name == "total_correlation";
    for (const std::string& at : places)
      all.push_back({cat("penalty.", name, ".", at),
                     cat(encoder, gaussian ? "bottleneck: {gaussian: 3}, " : code,
                         "likelihood: bce, penalties: [{", name, ": {", at, "weight: 0.5}}]")});
  }
  for (const char* more : {"kl: {capacity: 9}", "kl: {free_bits: 0.4}", "mmd: {kernel: rbf}",
                           "total_correlation: {estimator: stratified}"})
    all.push_back({cat("penalty.", more), cat(encoder,
                                              "bottleneck: {gaussian: 3}, likelihood: "
                                              "bernoulli, penalties: [{",
                                              more, "}]")});
  for (const char* objective : {"elbo", "iwae"})
    all.push_back({cat("objective.", objective),
                   cat(encoder,
                       "bottleneck: {gaussian: {units: 3, samples: 4}}, likelihood: "
                       "bernoulli, objective: ",
                       objective)});
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
  for (const char* bottleneck : {"{dense: 3}", "identity", "{gaussian: 3}", "{topk: 7, k: 3}",
                                 "{topk: 7, k: 3, by: magnitude, activation: tanh}"})
    all.push_back({cat("bottleneck.", bottleneck),
                   cat(encoder, "likelihood: bce, bottleneck: ", bottleneck)});
  all.push_back({"bottleneck.pre_bias",
                 "bottleneck: {topk: 7, k: 4, pre_bias: true, activation: elu}, likelihood: mse, "
                 "output: {dense: {unit_norm: true}}"});
  for (const char* kind : {"lstm", "gru", "rnn"}) {
    const Shape series{3, 2};
    const std::string last = cat("encoder: [{", kind, ": 3}], "), mse = "likelihood: mse, ";
    const auto add = [&](const char* name, const std::string& model) {
      all.push_back({cat("layer.", kind, ".", name), model, series});
    };
    add("mirror", cat(last, mse, "bottleneck: {dense: 2}"));
    add("reverse",
        cat(last, mse, "bottleneck: identity, decoder: {mirror: untied, reverse: true}"));
    add("stack", cat("encoder: [{", kind, ": {units: 3, output: all, reverse: true}}, {", kind,
                     ": {units: 2, bias: false}}], bottleneck: identity, ", mse));
    add("list", cat(last, mse, "bottleneck: {dense: 2}, decoder: [{repeat: 3}, {", kind,
                    ": {units: 2, output: all}}], output: none"));
    add("frozen",
        cat("encoder: [{", kind, ": {units: 3, freeze: true}}], bottleneck: {dense: 2}, ", mse));
  }
  for (Case& c : map_cases()) all.push_back(std::move(c));
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
  Problem p(small_model(GetParam().model, GetParam().row), 4, DType::f64);
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
