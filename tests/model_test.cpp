// Models from YAML: their layers, names, shapes and parameters, how they begin, their views, and what is refused.
#include "models/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/ops.h"
#include "tests/data_files.h"
#include "tests/small_training.h"

namespace latent {
namespace {

using Names = std::vector<std::string>;

Names names(const Model& model) {
  Names result;
  for (const Parameter& p : model.parameters()) result.push_back(p.name);
  return result;
}

Parameter parameter(const Model& model, const std::string& name) {
  for (const Parameter& p : model.parameters())
    if (p.name == name) return p;
  throw std::logic_error("no parameter " + name);
}

Shape shape(const Model& model, const std::string& name) {
  return parameter(model, name).type.shape;
}

HostTensor initial(const Model& model, const std::string& name) {
  const Parameter p = parameter(model, name);
  HostTensor value(p.type);
  if (p.init) p.init(value);
  return value;
}

Names descriptions(const Model& model) {
  Names result;
  for (const LayerRow& row : model.table())
    result.push_back(cat(row.part, " ", row.name, ": ", row.kind));
  return result;
}

const std::string kDeep =
    "encoder: [{dense: [5, 4], activation: relu}], bottleneck: {dense: 3, activation: tanh}, "
    "likelihood: bce";

TEST(Mirror, IsTheEncoderBackwards) {
  const Model m = small_model(kDeep);
  EXPECT_EQ(names(m),
            (Names{"encoder.0.weight", "encoder.0.bias", "encoder.1.weight", "encoder.1.bias",
                   "bottleneck.weight", "bottleneck.bias", "decoder.0.weight", "decoder.0.bias",
                   "decoder.1.weight", "decoder.1.bias", "decoder.2.weight", "decoder.2.bias"}));
  EXPECT_EQ(shape(m, "encoder.0.weight"), (Shape{5, 6}));  // [out, in]
  EXPECT_EQ(shape(m, "bottleneck.weight"), (Shape{3, 4}));
  EXPECT_EQ(shape(m, "decoder.0.weight"), (Shape{4, 3}));
  EXPECT_EQ(shape(m, "decoder.2.weight"), (Shape{6, 5}));
  EXPECT_EQ(shape(m, "decoder.2.bias"), (Shape{6}));
  EXPECT_EQ(m.code_shape(), (Shape{3}));
  EXPECT_EQ(descriptions(m),
            (Names{"input input: data", "encoder encoder.0: dense, relu",
                   "encoder encoder.1: dense, relu", "bottleneck code: dense, tanh",
                   "decoder decoder.0: dense, relu", "decoder decoder.1: dense, relu",
                   "decoder output: dense"}));
}

TEST(Mirror, TableCountsParameters) {
  int64_t sum = 0;
  for (const LayerRow& row : small_model(kDeep).table()) sum += row.parameters;
  EXPECT_EQ(sum, (6 * 5 + 5) + (5 * 4 + 4) + (4 * 3 + 3) + (3 * 4 + 4) + (4 * 5 + 5) + (5 * 6 + 6));
}

TEST(Mirror, ActivationsAreThoseOfTheBlockOfThatWidth) {
  const Model m = small_model(
      "encoder: [tanh, {dense: 5}, relu, sigmoid, {dense: 4, bias: false}], bottleneck: {dense: 2, "
      "activation: elu}, likelihood: bce");
  EXPECT_EQ(
      descriptions(m),
      (Names{"input input: data", "encoder encoder.0: tanh", "encoder encoder.1: dense",
             "encoder encoder.2: relu", "encoder encoder.3: sigmoid", "encoder encoder.4: dense",
             "bottleneck code: dense, elu", "decoder decoder.0: dense", "decoder decoder.1: dense",
             "decoder decoder.2: relu", "decoder decoder.3: sigmoid", "decoder output: dense"}));
  EXPECT_EQ(names(m),
            (Names{"encoder.1.weight", "encoder.1.bias", "encoder.4.weight", "bottleneck.weight",
                   "bottleneck.bias", "decoder.0.weight", "decoder.0.bias", "decoder.1.weight",
                   "decoder.4.weight", "decoder.4.bias"}));
}

TEST(Mirror, TiedWeightsAreTheEncoders) {
  const Model m = small_model(kDeep + ", decoder: {mirror: tied}");
  EXPECT_EQ(names(m), (Names{"encoder.0.weight", "encoder.0.bias", "encoder.1.weight",
                             "encoder.1.bias", "bottleneck.weight", "bottleneck.bias",
                             "decoder.0.bias", "decoder.1.bias", "decoder.2.bias"}));
  const Problem p(m, 2, DType::f64);
  // Each weight is read by its layer and by the mirrored one.
  for (const char* name : {"encoder.0.weight", "encoder.1.weight", "bottleneck.weight"}) {
    const auto reads = [&](const Node& n) {
      return !n.leaf() && n.op.name().starts_with("linear") &&
             std::ranges::any_of(n.inputs, [&](Var v) { return p.graph.node(v).variable == name; });
    };
    EXPECT_EQ(std::ranges::count_if(p.graph.nodes(), reads), 2) << name;
  }
}

TEST(Mirror, TiedAtStartOnlyBegins) {
  const Model m = small_model(kDeep + ", decoder: {mirror: tied_at_start}");
  EXPECT_EQ(names(m), names(small_model(kDeep)));
  const std::pair<const char*, const char*> pairs[] = {{"bottleneck.weight", "decoder.0.weight"},
                                                       {"encoder.0.weight", "decoder.2.weight"}};
  for (const auto& [from, to] : pairs) {
    const HostTensor a = initial(m, from), b = initial(m, to);
    const int64_t rows = a.type.shape[0], columns = a.type.shape[1];
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        ASSERT_EQ(a.as<float>()[r * columns + c], b.as<float>()[c * rows + r]);
  }
  const Model zeros = small_model(kDeep + ", init: zeros, decoder: {mirror: tied_at_start}");
  EXPECT_EQ(initial(zeros, "decoder.0.weight"), HostTensor(Type{DType::f32, {4, 3}}));
}

TEST(Output, ItsOptionsAreItsOwn) {
  for (const char* weights : {"untied", "tied", "tied_at_start"}) {
    const Model m =
        small_model(cat("bottleneck: {dense: 2}, likelihood: mse, decoder: {mirror: ", weights,
                        "}, output: {dense: {bias: false}}"));
    const bool tied = weights == std::string("tied");
    EXPECT_EQ(names(m), tied ? (Names{"bottleneck.weight", "bottleneck.bias"})
                             : (Names{"bottleneck.weight", "bottleneck.bias", "decoder.0.weight"}))
        << weights;
  }
  const Model m = small_model(
      "bottleneck: {dense: 2}, likelihood: mse, output: {dense: {bias_init: 0.5, init: zeros}}");
  EXPECT_EQ(initial(m, "decoder.0.bias"), host_tensor<float>({6}, std::vector<float>(6, 0.5f)));
  EXPECT_EQ(initial(m, "decoder.0.weight"), HostTensor(Type{DType::f32, {6, 2}}));
}

TEST(Decoder, AListEndsBeforeTheOutput) {
  const Model m = small_model(
      "bottleneck: {dense: 2}, likelihood: mse, decoder: [{dense: [3, 4], activation: relu}, "
      "tanh]");
  EXPECT_EQ(descriptions(m),
            (Names{"input input: data", "bottleneck code: dense", "decoder decoder.0: dense, relu",
                   "decoder decoder.1: dense, relu", "decoder decoder.2: tanh",
                   "decoder output: dense"}));
  EXPECT_EQ(shape(m, "decoder.3.weight"), (Shape{6, 4}));
}

TEST(Decoder, AListMayEndAtTheData) {
  const Model none = small_model(
      "bottleneck: {dense: 2}, likelihood: mse, decoder: [{dense: 6, activation: sigmoid}], "
      "output: "
      "none");
  EXPECT_EQ(names(none),
            (Names{"bottleneck.weight", "bottleneck.bias", "decoder.0.weight", "decoder.0.bias"}));
  const Model more = small_model(
      "bottleneck: {dense: 2}, likelihood: mse, decoder: [{dense: 6, activation: relu}], output: "
      "dense");
  EXPECT_EQ(shape(more, "decoder.1.weight"), (Shape{6, 6}));
}

TEST(Bottleneck, IdentityIsTheEncodersLastValue) {
  const Model m = small_model("encoder: [{dense: [5, 3]}], bottleneck: identity, likelihood: bce");
  EXPECT_EQ(m.code_shape(), (Shape{3}));
  EXPECT_EQ(names(m),
            (Names{"encoder.0.weight", "encoder.0.bias", "encoder.1.weight", "encoder.1.bias",
                   "decoder.0.weight", "decoder.0.bias", "decoder.1.weight", "decoder.1.bias"}));
}

TEST(Model, RowsOfAnyShapeAreFlattened) {
  const Model m = small_model("bottleneck: {dense: 3}, likelihood: bce", {2, 3, 1});
  EXPECT_EQ(shape(m, "bottleneck.weight"), (Shape{3, 6}));
  const Problem p(m, 4, DType::f64);
  EXPECT_EQ(p.forward.output.shape(), (Shape{4, 2, 3, 1}));
  EXPECT_EQ(p.forward.mean.shape(), (Shape{4, 2, 3, 1}));
  EXPECT_EQ(p.forward.code.value.shape(), (Shape{4, 3}));
}

TEST(Freeze, IsOfTheLayerThatSaysSo) {
  const std::string frozen =
      "encoder: [{dense: 5, freeze: true}], bottleneck: {dense: 3}, likelihood: bce";
  const auto is_frozen = [](const Model& m) {
    Names result;
    for (const Parameter& p : m.parameters())
      if (p.frozen) result.push_back(p.name);
    return result;
  };
  const Names encoder{"encoder.0.weight", "encoder.0.bias"};
  EXPECT_EQ(is_frozen(small_model(frozen)), encoder);
  EXPECT_EQ(is_frozen(small_model(frozen + ", decoder: {mirror: tied}")), encoder);
  // Frozen weights lie outside of the optimizer's buffer and of weight decay.
  const Problem p(small_model(frozen), 2, DType::f32);
  const Names& flat = p.graph.layout(kParameters).names;
  EXPECT_EQ(std::ranges::find(flat, "encoder.0.weight"), flat.end());
  EXPECT_EQ(flat.size(), 6u);
}

// ---- Initial weights -----------------------------------------------------------------------------

struct Moments {
  double mean = 0, variance = 0, largest = 0;
};
Moments moments(const HostTensor& t) {
  Moments m;
  const double n = static_cast<double>(t.type.elements());
  for (const float v : t.as<float>()) {
    m.mean += v / n;
    m.largest = std::max(m.largest, std::abs(double(v)));
  }
  for (const float v : t.as<float>()) m.variance += (v - m.mean) * (v - m.mean) / n;
  return m;
}

TEST(Init, BoundsAndVariances) {
  const double in = 300, out = 200;
  struct Want {
    const char* init;
    double bound, variance;  // bound 0: a normal distribution
  };
  const auto uniform = [](const char* init, double a) { return Want{init, a, a * a / 3}; };
  const Want wants[] = {
      uniform("glorot_uniform", std::sqrt(6 / (in + out))),
      {"glorot_normal", 0, 2 / (in + out)},
      uniform("he_uniform", std::sqrt(6 / in)),
      {"he_normal", 0, 2 / in},
      uniform("lecun_uniform", std::sqrt(3 / in)),
      {"lecun_normal", 0, 1 / in},
      uniform("pytorch", 1 / std::sqrt(in)),
      {"{normal: 0.02}", 0, 0.02 * 0.02},
      uniform("{uniform: 0.3}", 0.3),
  };
  for (const Want& want : wants) {
    SCOPED_TRACE(want.init);
    const Model model =
        small_model(cat("init: ", want.init, ", bottleneck: {dense: 200}, likelihood: bce"), {300});
    // The layer's own `init` is the same thing.
    const Model own =
        small_model(cat("bottleneck: {dense: 200, init: ", want.init, "}, likelihood: bce"), {300});
    const HostTensor w = initial(model, "bottleneck.weight");
    EXPECT_EQ(initial(own, "bottleneck.weight"), w);
    const Moments m = moments(w);
    const double deviation = std::sqrt(want.variance);
    EXPECT_NEAR(m.mean, 0, 5 * deviation / std::sqrt(in * out));
    EXPECT_NEAR(m.variance, want.variance, 0.03 * want.variance);
    if (want.bound > 0) {
      EXPECT_LE(m.largest, want.bound * (1 + 1e-6));
      EXPECT_GT(m.largest, 0.999 * want.bound);
    } else {
      EXPECT_GT(m.largest, 3.5 * deviation);
    }
    const Moments b = moments(initial(model, "bottleneck.bias"));
    if (want.init == std::string("pytorch")) {
      EXPECT_LE(b.largest, want.bound);
      EXPECT_NEAR(b.variance, want.variance, 0.3 * want.variance);
    } else {
      EXPECT_EQ(b.largest, 0);
    }
  }
  EXPECT_EQ(moments(initial(small_model("init: zeros, bottleneck: {dense: 3}, likelihood: bce"),
                            "bottleneck.weight"))
                .largest,
            0);
}

TEST(Init, SeedAndNameDecideAlone) {
  const auto weight = [](const std::string& model, uint64_t seed, const std::string& name) {
    return initial(small_model(model, {6}, seed), name);
  };
  EXPECT_EQ(weight(kDeep, 3, "encoder.0.weight"), weight(kDeep, 3, "encoder.0.weight"));
  EXPECT_NE(weight(kDeep, 3, "encoder.0.weight"), weight(kDeep, 4, "encoder.0.weight"));
  // Layers, penalties and activations elsewhere change no draw.
  const std::string more =
      "encoder: [{dense: 5, activation: elu}, {dense: 4}, relu], bottleneck: {dense: 3}, decoder: "
      "[{dense: 9}], likelihood: mse, penalties: [{weight_decay: 1}]";
  for (const char* name : {"encoder.0.weight", "encoder.1.weight", "bottleneck.weight"})
    EXPECT_EQ(weight(kDeep, 3, name), weight(more, 3, name)) << name;
  // Weights of equal shapes differ by their names.
  const std::string equal = "encoder: [{dense: [6, 6]}], bottleneck: {dense: 6}, likelihood: bce";
  EXPECT_NE(weight(equal, 3, "encoder.0.weight"), weight(equal, 3, "encoder.1.weight"));
}

// ---- Views and addresses -------------------------------------------------------------------------

TEST(Views, DecodingTheCodeIsTheAutoencoder) {
  for (const char* likelihood : {"bce", "mse", "{gaussian: {link: tanh}}"}) {
    const Model m = small_model(
        cat("encoder: [{dense: 5, activation: relu}], bottleneck: {dense: 3, activation: tanh}, "
            "decoder: {mirror: tied}, likelihood: ",
            likelihood));
    Store store(open_device("cpu"));
    store.declare(view_graph(m, View::autoencoder, 4));  // all parameters, in their places
    const auto run = [&](View view, const HostTensor& rows) {
      Program program(view_graph(m, view, 4), store);
      store.write(view_input(view), rows);
      program.run();
      return program.output("result");
    };
    HostTensor x(Type{DType::f32, {4, 6}});
    std::mt19937_64 engine(5);
    draw(x, engine, 0, 1);
    const HostTensor code = run(View::encoder, x);
    EXPECT_EQ(code.type.shape, (Shape{4, 3}));
    EXPECT_EQ(run(View::decoder, code), run(View::autoencoder, x)) << likelihood;
  }
}

TEST(Views, MeansAreWhatTheLikelihoodSays) {
  Problem p(small_model("bottleneck: {dense: 2}, likelihood: bce"), 3, DType::f64);
  const Var logits = p.forward.output;
  const auto values = interpret(p.graph, p.leaves, *open_device("cpu"),
                                std::vector{p.forward.mean, sigmoid(logits)});
  EXPECT_EQ(values[0], values[1]);
}

TEST(Addresses, EveryLayerBeforeAndBehindItsActivation) {
  Graph g;
  Build build{.graph = g, .taps = {}};
  const Model m = small_model(
      "encoder: [{dense: 5, activation: relu, name: first}, {dense: 4}, sigmoid], bottleneck: "
      "{dense: 3, activation: tanh}, likelihood: bce");
  const Var x = g.variable(
      {.name = "x", .type = {DType::f32, {2, 6}}, .role = Role::constant, .init = {}, .group = ""});
  const Forward f = forward(m, build, x, x);
  Names taps;
  for (const auto& [name, v] : build.taps) taps.push_back(name);
  EXPECT_EQ(taps, (Names{"bottleneck", "bottleneck.pre", "code",      "code.pre",
                         "decoder.0",  "decoder.0.pre",  "decoder.1", "decoder.1.pre",
                         "decoder.2",  "decoder.2.pre",  "decoder.3", "decoder.3.pre",
                         "encoder.0",  "encoder.0.pre",  "encoder.1", "encoder.1.pre",
                         "encoder.2",  "encoder.2.pre",  "first",     "first.pre",
                         "output"}));
  EXPECT_EQ(build.taps.at("code"), f.code.value);
  EXPECT_EQ(build.taps.at("output"), f.output);
  EXPECT_EQ(build.taps.at("first"), build.taps.at("encoder.0"));
  EXPECT_EQ(build.taps.at("encoder.2.pre"), build.taps.at("encoder.1"));
  EXPECT_EQ(g.node(build.taps.at("encoder.0")).op.name(), "relu");
  EXPECT_EQ(g.node(build.taps.at("encoder.0")).inputs[0], build.taps.at("encoder.0.pre"));
  EXPECT_EQ(g.node(build.taps.at("code")).inputs[0], build.taps.at("code.pre"));
  EXPECT_EQ(build.hidden.size(), 7u) << "all layers but the output";
  EXPECT_EQ(std::ranges::find(build.hidden, build.taps.at("output")), build.hidden.end());
}

TEST(Addresses, HiddenIsTheSumOverLayers) {
  const auto term = [](const std::string& at) {
    Problem p(small_model(cat(kDeep, ", penalties: [{hoyer: 1, at: ", at, "}]")), 2, DType::f64);
    const auto rows = interpret(p.graph, p.leaves, *open_device("cpu"),
                                std::vector{p.forward.terms.back().value})[0];
    return rows.as<double>()[0];
  };
  double sum = 0;
  for (const char* at : {"encoder.0", "encoder.1", "code", "decoder.0", "decoder.1"})
    sum += term(at);
  EXPECT_NEAR(term("hidden"), sum, 1e-12);
}

TEST(Terms, AreCalledByNameOrLabel) {
  const Problem p(small_model(kDeep + ", penalties: [{weight_decay: 0.5}, {weight_decay: 2, label: "
                                      "again}]"),
                  2, DType::f64);
  ASSERT_EQ(p.forward.terms.size(), 3u);
  EXPECT_EQ(p.forward.terms[0].name, "nll");
  EXPECT_EQ(p.forward.terms[0].weight, 1.0 / 6) << "bce is the mean over elements";
  EXPECT_EQ(p.forward.terms[1].name, "weight_decay");
  EXPECT_EQ(p.forward.terms[2].name, "again");
  EXPECT_EQ(p.forward.terms[2].weight, 2);
}

// ---- What is refused -----------------------------------------------------------------------------

TEST(Refused, WithPlaceAndReason) {
  const auto refused = [](const std::string& model, const std::string& part,
                          const std::string& other) {
    SCOPED_TRACE(model);
    expect_user_error([&] { Problem(small_model(model), 2, DType::f32); }, part, other);
  };
  const std::string code = "bottleneck: {dense: 2}, likelihood: mse, ";
  refused(code + "decoder: [{dense: [4, 6]}]",
          "test.yaml:2:", "already ends at the data's size [6]");
  refused(code + "decoder: [{dense: 4}], output: none", "model.output", "the decoder ends at [4]");
  refused(code + "output: none", "model.output", "the decoder ends at [2]");
  refused(code + "output: relu", "model.output", "relu cannot be the output layer");
  refused(code + "output: {dense: {activation: sigmoid}}", "model.output.activation",
          "the likelihood's link is it");
  refused(code + "decoder: {mirror: tied}, output: {dense: {init: zeros}}", "model.output.init",
          "tied");
  refused(code + "decoder: {mirror: tied}, output: {dense: {freeze: true}}", "model.output.freeze",
          "tied");
  refused("bottleneck: identity, likelihood: mse", "model.decoder",
          "has a layer with weights to mirror");
  refused(code + "penalties: [weight_decay, weight_decay]", "two terms are called 'weight_decay'",
          "label");
  refused(code + "penalties: [{hoyer: 1, at: encoder.0}]",
          "test.yaml:2:", "no layer is called 'encoder.0'");
  refused(code + "encoder: [{dense: 4, name: a}, {dense: 3, name: a}]", "model.encoder.1.name",
          "'a' is already the address");
  refused(code + "encoder: [{dense: 4, name: code}]", "model.encoder.0.name", "'code'");
}

TEST(Refused, NothingToTrain) {
  const Experiment e = small_experiment(
      "bottleneck: {dense: 2, freeze: true}, likelihood: bce, output: {dense: {freeze: true}}",
      "epochs: 1, batch_size: 8", 20);
  expect_user_error([&] { Training training(e); }, "nothing to train", "freeze");
}

TEST(Refused, BernoulliOfDataOutsideTheUnitInterval) {
  const Model m = small_model("bottleneck: {dense: 2}, likelihood: bernoulli");
  expect_user_error([&] { m.likelihood().check_range(-1, 1); }, "model.likelihood", "[-1, 1]");
  EXPECT_NO_THROW(m.likelihood().check_range(0, 1));
}

}  // namespace
}  // namespace latent
