// Models of convolutional layers: sizes as PyTorch's, mirrors, what lies in files, and what is refused.
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "core/io/safetensors.h"
#include "kernels/ops.h"
#include "tests/command.h"
#include "tests/small_training.h"

namespace latent {
namespace {

const std::string kBce = "likelihood: bce";

std::vector<std::string> table(const Model& model) {
  std::vector<std::string> rows;
  for (const LayerRow& row : model.table())
    rows.push_back(cat(row.name, ": ", row.kind, ": ", to_string(row.shape)));
  return rows;
}
using Rows = std::vector<std::string>;

Parameter parameter(const Model& model, const std::string& name) {
  for (const Parameter& p : model.parameters())
    if (p.name == name) return p;
  throw std::logic_error("no parameter " + name);
}

Shape in_file(const Model& model, const std::string& name) {
  return file_tensors(parameter(model, name))[0].second.shape;
}

TEST(MapLayers, HaveTheSizesOfPyTorchsAndTensorFlows) {
  const auto last = [](const std::string& layers, const Shape& row = {28, 28, 1}) {
    const Model m = small_model(cat("encoder: [", layers,
                                    "], bottleneck: identity, decoder: [{dense: 2}], "
                                    "likelihood: bce"),
                                row);
    return m.code_shape();
  };
  EXPECT_EQ(last("{conv: 16}"), (Shape{28, 28, 16}));
  EXPECT_EQ(last("{conv: 16, kernel: 5, padding: valid}"), (Shape{24, 24, 16}));
  EXPECT_EQ(last("{conv: 16, kernel: 4, stride: 2}"), (Shape{14, 14, 16}));
  EXPECT_EQ(last("{conv: 16, stride: 2}", {7, 9, 3}), (Shape{4, 5, 16}));
  EXPECT_EQ(last("{conv: 16, stride: 2, padding: valid}", {7, 9, 3}), (Shape{3, 4, 16}));
  EXPECT_EQ(last("{conv_transpose: 8, kernel: 4, stride: 2}", {7, 7, 2}), (Shape{14, 14, 8}));
  EXPECT_EQ(last("{conv_transpose: 8, stride: 2, padding: valid}", {7, 5, 2}), (Shape{15, 11, 8}));
  EXPECT_EQ(last("max_pool, max_pool, {max_pool: 2}"), (Shape{3, 3, 1}));
  EXPECT_EQ(last("max_pool, max_pool, {avg_pool: 2, padding: same}"), (Shape{4, 4, 1}));
  EXPECT_EQ(last("{upsample: 3, mode: bilinear}", {4, 5, 2}), (Shape{12, 15, 2}));
  EXPECT_EQ(last("flatten", {4, 5, 2}), (Shape{40}));
  EXPECT_EQ(last("{reshape: [2, 10, 2]}", {4, 5, 2}), (Shape{2, 10, 2}));
}

TEST(MapMirror, PoolsBecomeUpsamplingAndConvolutionsConvolutions) {
  const Model m = small_model(
      "encoder: [{conv: 16, activation: relu}, max_pool, {conv: 8, kernel: 5, activation: tanh}, "
      "relu, {avg_pool: 7}], bottleneck: {dense: 3}, likelihood: bce",
      {28, 28, 1});
  EXPECT_EQ(table(m), (Rows{
                          "input: data: [28, 28, 1]",
                          "encoder.0: conv 3x3, relu: [28, 28, 16]",
                          "encoder.1: max_pool 2x2: [14, 14, 16]",
                          "encoder.2: conv 5x5, tanh: [14, 14, 8]",
                          "encoder.3: relu: [14, 14, 8]",
                          "encoder.4: avg_pool 7x7: [2, 2, 8]",
                          "code: dense: [3]",
                          "decoder.0: dense, tanh: [2, 2, 8]",
                          "decoder.1: relu: [2, 2, 8]",
                          "decoder.2: upsample 7x: [14, 14, 8]",
                          "decoder.3: conv 5x5, relu: [14, 14, 16]",
                          "decoder.4: upsample 2x: [28, 28, 16]",
                          "output: conv 3x3: [28, 28, 1]",
                      }));
}

TEST(MapMirror, StridesBecomeTransposedConvolutionsAndFlattenReshape) {
  const Model m = small_model(
      "encoder: [{conv: 4, kernel: 4, stride: 2}, {conv: 8, padding: valid}, flatten, {dense: 9}], "
      "bottleneck: {dense: 3}, likelihood: bce",
      {8, 8, 3});
  EXPECT_EQ(table(m), (Rows{
                          "input: data: [8, 8, 3]",
                          "encoder.0: conv 4x4 stride 2: [4, 4, 4]",
                          "encoder.1: conv 3x3: [2, 2, 8]",
                          "encoder.2: flatten: [32]",
                          "encoder.3: dense: [9]",
                          "code: dense: [3]",
                          "decoder.0: dense: [9]",
                          "decoder.1: dense: [32]",
                          "decoder.2: reshape: [2, 2, 8]",
                          "decoder.3: conv_transpose 3x3: [4, 4, 4]",
                          "output: conv_transpose 4x4 stride 2: [8, 8, 3]",
                      }));
}

TEST(MapMirror, TiedIsTheTransposeWithTheSameWeight) {
  const std::string model =
      "encoder: [{conv: 4, activation: relu}, {conv: 8, kernel: 4, stride: 2}], bottleneck: "
      "{dense: 3}, likelihood: bce, decoder: ";
  const Model m = small_model(model + "{mirror: tied}", {8, 8, 1});
  std::vector<std::string> names;
  for (const Parameter& p : m.parameters()) names.push_back(p.name);
  EXPECT_EQ(names, (Rows{"encoder.0.weight", "encoder.0.bias", "encoder.1.weight", "encoder.1.bias",
                         "bottleneck.weight", "bottleneck.bias", "decoder.0.bias", "decoder.1.bias",
                         "decoder.2.bias"}));
  EXPECT_EQ(table(m).back(), "output: conv_transpose 3x3, tied to encoder.0.weight: [8, 8, 1]");
  const Model start = small_model(model + "{mirror: tied_at_start}", {8, 8, 1});
  for (const auto& [encoder, decoder] : {std::pair{"encoder.0.weight", "decoder.2.weight"},
                                         {"encoder.1.weight", "decoder.1.weight"}}) {
    const Parameter a = parameter(start, encoder), b = parameter(start, decoder);
    ASSERT_EQ(a.type, b.type);
    HostTensor x(a.type), y(b.type);
    a.init(x), b.init(y);
    EXPECT_EQ(x, y);
  }
}

TEST(MapOutput, IsAConvolutionBehindAMap) {
  const std::string model =
      "encoder: [{conv: 4}], bottleneck: {dense: 2}, likelihood: bce, decoder: [{dense: 32}, "
      "{reshape: [4, 4, 2]}";
  EXPECT_EQ(table(small_model(model + "]", {4, 4, 3})).back(), "output: conv 3x3: [4, 4, 3]");
  EXPECT_EQ(
      table(small_model(model + "], output: {conv_transpose: {kernel: 4, stride: 2}}", {8, 8, 3}))
          .back(),
      "output: conv_transpose 4x4 stride 2: [8, 8, 3]");
  EXPECT_EQ(table(small_model(model + "], output: dense", {8, 8, 3})).back(),
            "output: dense: [8, 8, 3]");
}

TEST(MapInit, FansAreKernelAreaTimesChannels) {
  const auto bound = [](const std::string& layer, const std::string& init) {
    const Model m = small_model(cat("encoder: [{", layer, ": 500, kernel: 5, init: ", init,
                                    "}], bottleneck: identity, decoder: [{dense: 2}], ", kBce),
                                {5, 5, 20});
    const Parameter p = parameter(m, "encoder.0.weight");
    HostTensor w(p.type);
    p.init(w);
    return std::ranges::max(w.as<float>());
  };
  EXPECT_NEAR(bound("conv", "glorot_uniform"), std::sqrt(6.0 / (25 * 520)), 1e-5);
  EXPECT_NEAR(bound("conv", "pytorch"), 1 / std::sqrt(25.0 * 20), 1e-5);
  EXPECT_NEAR(bound("conv_transpose", "glorot_uniform"), std::sqrt(6.0 / (25 * 520)), 1e-5);
  EXPECT_NEAR(bound("conv_transpose", "pytorch"), 1 / std::sqrt(25.0 * 500), 1e-5);
}

// ---- Files ---------------------------------------------------------------------------------------------------------

TEST(MapFiles, HaveChannelsFirst) {
  const Model m = small_model(
      "encoder: [{conv: 4, kernel: 2, stride: 2, padding: valid}], bottleneck: {dense: 5}, "
      "likelihood: bce",
      {4, 6, 3});
  EXPECT_EQ(parameter(m, "encoder.0.weight").type.shape, (Shape{4, 2, 2, 3}));
  EXPECT_EQ(in_file(m, "encoder.0.weight"), (Shape{4, 3, 2, 2}));  // [out, in, kh, kw]
  EXPECT_EQ(in_file(m, "bottleneck.weight"), (Shape{5, 24}));
  EXPECT_EQ(in_file(m, "decoder.0.weight"), (Shape{24, 5}));
  EXPECT_EQ(in_file(m, "decoder.1.weight"), (Shape{4, 3, 2, 2}));  // [in, out, kh, kw]
  EXPECT_TRUE(parameter(m, "decoder.1.bias").file.order.empty());

  const auto permuted = [&](const std::string& name) {
    const Parameter p = parameter(m, name);
    HostTensor memory(p.type);
    for (int64_t i = 0; i < p.type.elements(); ++i) memory.as<float>()[i] = static_cast<float>(i);
    const HostTensor file = to_file(p, memory)[0].tensor;
    EXPECT_EQ(from_file(p, {&file}), memory);
    return file;
  };
  // (filter 1, channel 2, row 1, column 0), which lies in memory at (1, 1, 0, 2).
  EXPECT_EQ(permuted("encoder.0.weight").as<float>()[1 * 12 + 2 * 4 + 1 * 2 + 0],
            1 * 12 + 1 * 6 + 0 * 3 + 2);
  // (unit 2, channel 3, row 1, column 2) of a map of 2 x 3 x 4.
  EXPECT_EQ(permuted("bottleneck.weight").as<float>()[2 * 24 + 3 * 6 + 1 * 3 + 2],
            2 * 24 + 1 * 12 + 2 * 4 + 3);
  EXPECT_EQ(permuted("decoder.0.weight").as<float>()[(3 * 6 + 1 * 3 + 2) * 5 + 4],
            (1 * 12 + 2 * 4 + 3) * 5 + 4);
  EXPECT_EQ(permuted("decoder.0.bias").as<float>()[3 * 6 + 1 * 3 + 2], 1 * 12 + 2 * 4 + 3);
}

/// A dense layer behind a map is one behind `flatten`, with the columns that files have.
TEST(MapFiles, ADenseLayerFlattensAsFlattenDoes) {
  const auto code = [](const std::string& layers) {
    const Model m = small_model(
        cat("encoder: [", layers, "], bottleneck: {dense: 5}, decoder: [{dense: 2}], ", kBce),
        {2, 3, 4});
    Graph graph;
    Build build{.graph = graph, .taps = {}};
    Values leaves;
    HostTensor rows(Type{DType::f32, {2, 2, 3, 4}});
    for (int i = 0; i < 48; ++i) rows.as<float>()[i] = static_cast<float>(i % 7);
    leaves["x"] = rows;
    const Var x = graph.variable({.name = "x", .type = rows.type, .role = Role::constant});
    const Var y = m.encode(build, x).value;
    for (const Parameter& p : m.parameters()) {
      HostTensor file(file_tensors(p)[0].second);
      for (int64_t i = 0; i < file.type.elements(); ++i)
        file.as<float>()[i] = static_cast<float>(i % 5);
      leaves[p.name] = from_file(p, {&file});
    }
    return interpret(graph, leaves, *open_device("cpu"), std::vector{y})[0];
  };
  EXPECT_EQ(code(""), code("flatten"));
  EXPECT_EQ(code("{reshape: [24]}"), code("flatten"));
  EXPECT_EQ(code("flatten, {reshape: [2, 3, 4]}"), code("flatten"));
}

class ConvolutionalRunTest : public CommandTest {};

TEST_F(ConvolutionalRunTest, FilesHavePyTorchsLayoutsAndComeBack) {
  TinyExperiment tiny;
  tiny.model =
      "{encoder: [{conv: 4, activation: relu}, {max_pool: 4}], bottleneck: {dense: 8}, "
      "likelihood: bce}";
  tiny.train = "{steps: 5, batch_size: 32}";
  tiny.rest = "";  // figures: auto
  write("tiny.yaml", tiny);
  run("tiny.yaml");
  const SafeTensors file = read_safetensors(at("runs/tiny/seed-0/last.safetensors"));
  EXPECT_EQ(file.find("encoder.0.weight")->type.shape, (Shape{4, 1, 3, 3}));
  EXPECT_EQ(file.find("bottleneck.weight")->type.shape, (Shape{8, 7 * 7 * 4}));
  EXPECT_EQ(file.find("decoder.0.weight")->type.shape, (Shape{7 * 7 * 4, 8}));
  EXPECT_EQ(file.find("decoder.2.weight")->type.shape, (Shape{1, 4, 3, 3}));
  for (const char* figure : {"codes", "filters", "reconstructions", "units"})
    EXPECT_TRUE(exists(cat("runs/tiny/seed-0/figures/", figure, ".png"))) << figure;
  // A step that moves nothing: the run ends with the weights that it began with.
  tiny.name = "again";
  tiny.train =
      "{steps: 1, batch_size: 32, optimizer: {sgd: {lr: 1.0e-30}}, init: "
      "runs/tiny/seed-0/last.safetensors}";
  write("again.yaml", tiny);
  run("again.yaml");
  const SafeTensors again = read_safetensors(at("runs/again/seed-0/last.safetensors"));
  for (const auto& [name, tensor] : file.tensors) {
    const HostTensor& other = *again.find(name);
    ASSERT_EQ(other.type, tensor.type);
    for (int64_t i = 0; i < tensor.type.elements(); ++i)
      ASSERT_NEAR(other.as<float>()[i], tensor.as<float>()[i], 1e-20) << name;
  }
}

TEST_F(ConvolutionalRunTest, ACodeMayBeAMap) {
  TinyExperiment tiny;
  tiny.model =
      "{encoder: [{conv: 4, stride: 4, activation: relu}], bottleneck: identity, likelihood: bce}";
  tiny.train = "{steps: 5, batch_size: 32}";
  tiny.rest = "";
  write("tiny.yaml", tiny);
  run("tiny.yaml");
  EXPECT_TRUE(exists("runs/tiny/seed-0/figures/codes.png"));
  const Output codes = latent({"encode", "runs/tiny/seed-0", "-o", "codes.npy"});
  EXPECT_EQ(codes.code, 0) << codes.err;
  const Output decoded =
      latent({"decode", "runs/tiny/seed-0", "--data", "codes.npy", "-o", "decoded.npy"});
  EXPECT_EQ(decoded.code, 0) << decoded.err;
  const Output plan = latent({"plan", "tiny.yaml"});
  EXPECT_EQ(plan.code, 0) << plan.err;
  EXPECT_NE(plan.out.find("conv.weight_and_bias"), std::string::npos) << plan.out;
}

// ---- Training ------------------------------------------------------------------------------------------------------

const std::string kConvolutional =
    "encoder: [{conv: 8, activation: relu}, max_pool, {conv: 8, kernel: 4, stride: 2, activation: "
    "relu}], bottleneck: {dense: 32, activation: relu}, likelihood: mse";

TEST(ConvolutionalTraining, OverfitsThirtyTwoRows) {
  const Experiment e =
      small_experiment(kConvolutional, "epochs: 1, batch_size: 32, optimizer: {adam: 0.003}");
  Training training(e);
  training.program.run();
  const double first = training.take_loss();
  training.program.run(300);
  training.take_loss();
  training.program.run(5);
  EXPECT_LT(training.take_loss(), 0.2 * first);
}

TEST(ConvolutionalTraining, BitsDoNotDependOnThreads) {
  const int before = omp_get_max_threads();
  const Experiment e = small_experiment(kConvolutional, "epochs: 1, batch_size: 32");
  std::vector<Values> values;
  for (const int threads : {1, 2, 3}) {
    omp_set_num_threads(threads);
    Training training(e);
    training.program.run(3);
    values.push_back(training.values());
  }
  omp_set_num_threads(before);
  EXPECT_EQ(values[0], values[1]);
  EXPECT_EQ(values[0], values[2]);
}

TEST(ConvolutionalTraining, AStepOnAGpuIsThatOfTheCpu) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU, or a build without a GPU backend";
  const Experiment e = small_experiment(kConvolutional, "epochs: 1, batch_size: 8", 10);
  std::vector<double> losses;
  for (const bool gpu : {false, true}) {
    std::string device = "cpu";
    if (gpu) try {
        device = open_device("simt")->name();
      } catch (const UserError&) {
        device = "auto";
      }
    Training training(e, {}, device);
    training.program.run(2);
    losses.push_back(training.take_loss());
  }
  EXPECT_NEAR(losses[1], losses[0], 1e-5 * losses[0]);
}

// ---- Refusals ------------------------------------------------------------------------------------------------------

void expect_refused(const std::string& model, const Shape& row, const std::string& part) {
  try {
    small_model(model, row);
    ADD_FAILURE() << "accepted: " << model;
  } catch (const UserError& e) {
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

TEST(MapRefusals, NameTheLayerAndTheReason) {
  const std::string rest = "], bottleneck: {dense: 2}, likelihood: bce";
  expect_refused("encoder: [{conv: 4}" + rest, {784}, "encoder.0: conv needs a map");
  expect_refused("encoder: [{dense: 4}, max_pool" + rest, {4, 4, 1},
                 "encoder.1: max_pool needs a map");
  expect_refused("encoder: [{conv: 4, kernel: 5, padding: valid}" + rest, {4, 4, 1},
                 "a kernel of 5x5 does not fit into 4x4");
  expect_refused("encoder: [{reshape: [4, 5]}" + rest, {4, 4, 1}, "encoder.0.shape");
  expect_refused("encoder: [{conv: 2}, max_pool" + rest, {7, 7, 1},
                 "encoder.1 (max_pool 2x2) makes [3, 3, 2] of [7, 7, 2], but its mirror (upsample "
                 "2x) comes back to [6, 6, 2]");
  expect_refused("encoder: [flatten, {dense: 4}" + rest, {4, 4, 3}, "encoder.0 (flatten)");
  expect_refused("encoder: [max_pool], bottleneck: identity, likelihood: bce", {4, 4, 3},
                 "neither encoder nor bottleneck has a layer with weights");
  expect_refused(
      "encoder: [{conv: 4, activation: relu}" + rest + ", output: {conv: {activation: relu}}",
      {4, 4, 1}, "the output layer has no activation");
  expect_refused("encoder: [{conv: 4}" + rest + ", output: {conv_transpose: {stride: 2}}",
                 {4, 4, 1}, "makes [8, 8, 1] of [4, 4, 4], the data are [4, 4, 1]");
  expect_refused("encoder: [{conv: 4}" + rest + ", decoder: {mirror: tied}, output: {conv: {}}",
                 {4, 4, 1}, "a conv_transpose, not a conv");
  expect_refused("encoder: [{conv: 4}" + rest +
                     ", decoder: {mirror: tied}, output: {conv_transpose: {kernel: 5}}",
                 {4, 4, 1}, "its kernel and stride are those of encoder.0");
  expect_refused("encoder: [{conv: 4}" + rest + ", decoder: {mirror: tied}, output: dense",
                 {4, 4, 1}, "not a dense");
  expect_refused("encoder: [{conv: 4}" + rest + ", decoder: [{dense: 8}, {reshape: [2, 2, 2]}]",
                 {4, 4, 1}, "auto is a conv 3x3, which keeps height and width");
}

}  // namespace
}  // namespace latent
