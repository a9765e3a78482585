// Convolutions, pools and upsampling: sizes and values as PyTorch and TensorFlow have them, libraries against loops.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/graph/autodiff.h"
#include "core/graph/passes.h"
#include "kernels/conv/cpu.h"
#include "kernels/conv/cudnn.h"
#include "kernels/conv/samples.h"
#include "kernels/ops.h"
#include "tests/interpreter.h"

namespace latent {
namespace {

/// A leaf with these values.
Var given(Graph& graph, Values& leaves, const std::string& name, const Shape& shape,
          const std::vector<float>& values) {
  HostTensor t(Type{DType::f32, shape});
  std::ranges::copy(values, t.as<float>().begin());
  leaves[name] = t;
  return graph.variable(
      {.name = name, .type = t.type, .role = Role::constant, .init = {}, .group = ""});
}

std::vector<float> values_of(Graph& graph, const Values& leaves, Var v) {
  const HostTensor t = interpret(graph, leaves, *open_device("cpu"), std::vector{v})[0];
  return {t.as<float>().begin(), t.as<float>().end()};
}

std::array<int64_t, 2> small_of(const Window& w) { return {w.small[0], w.small[1]}; }
std::array<int64_t, 2> large_of(const Window& w) { return {w.large[0], w.large[1]}; }
using Two = std::array<int64_t, 2>;

TEST(Window, IsThatOfTensorFlowsPaddings) {
  const Window same = window_over({28, 7}, {3, 3}, {2, 2}, Padding::same);
  EXPECT_EQ(small_of(same), (Two{14, 4}));
  EXPECT_EQ(same.before[0], 0);  // one row of zeros in all: below
  EXPECT_EQ(same.before[1], 1);  // two columns: one on either side
  const Window even = window_over({5, 5}, {4, 4}, {1, 1}, Padding::same);
  EXPECT_EQ(even.before[0], 1);  // three rows: one above, two below, as PyTorch's padding='same'
  EXPECT_EQ(small_of(window_over({28, 28}, {5, 3}, {1, 2}, Padding::valid)), (Two{24, 13}));
  EXPECT_EQ(small_of(window_over({7, 7}, {2, 2}, {2, 2}, Padding::valid)), (Two{3, 3}));
  EXPECT_EQ(small_of(window_over({7, 7}, {2, 2}, {2, 2}, Padding::same)), (Two{4, 4}));
  EXPECT_THROW(window_over({2, 9}, {3, 3}, {1, 1}, Padding::valid), std::invalid_argument);
}

TEST(Window, OfATransposedConvolutionMakesTheLargeMap) {
  const Window same = window_under({7, 7}, {4, 4}, {2, 2}, Padding::same);
  EXPECT_EQ(large_of(same), (Two{14, 14}));
  EXPECT_EQ(same.before[0], 1);  // PyTorch's ConvTranspose2d(kernel 4, stride 2, padding 1)
  EXPECT_EQ(small_of(same), (Two{7, 7}));
  EXPECT_EQ(large_of(window_under({4, 5}, {3, 2}, {2, 3}, Padding::valid)), (Two{9, 14}));
}

TEST(Conv, IsACrossCorrelation) {
  Graph graph;
  Values leaves;
  const Var x = given(graph, leaves, "x", {1, 3, 3, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  const Var w = given(graph, leaves, "w", {1, 2, 2, 1}, {1, 10, 100, 1000});
  const Window valid = window_over({3, 3}, {2, 2}, {1, 1}, Padding::valid);
  EXPECT_EQ(values_of(graph, leaves, conv(x, w, valid)),
            (std::vector<float>{5421, 6532, 8754, 9865}));
  const Window same = window_over({3, 3}, {2, 2}, {1, 1}, Padding::same);  // zeros behind
  EXPECT_EQ(values_of(graph, leaves, conv(x, w, same)),
            (std::vector<float>{5421, 6532, 603, 8754, 9865, 906, 87, 98, 9}));
}

TEST(Conv, TransposedSpreadsTheKernel) {
  Graph graph;
  Values leaves;
  const Var x = given(graph, leaves, "x", {1, 1, 2, 1}, {1, 2});
  const Var w = given(graph, leaves, "w", {1, 2, 2, 1}, {1, 10, 100, 1000});
  const auto spread = [&](int64_t stride, Padding padding) {
    return values_of(
        graph, leaves,
        conv_transposed(x, w, window_under({1, 2}, {2, 2}, {stride, stride}, padding)));
  };
  EXPECT_EQ(spread(1, Padding::valid), (std::vector<float>{1, 12, 20, 100, 1200, 2000}));
  EXPECT_EQ(spread(2, Padding::valid), (std::vector<float>{1, 10, 2, 20, 100, 1000, 200, 2000}));
  EXPECT_EQ(spread(2, Padding::same), spread(2, Padding::valid));
}

TEST(MaxPool, TiesAreTheFirstAndNaNsStay) {
  Graph graph;
  Values leaves;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Var x = given(graph, leaves, "x", {1, 2, 5, 1}, {3, 3, -1, nan, 7, 3, 3, 5, 9, 8});
  const Window w = window_over({2, 5}, {2, 2}, {2, 2}, Padding::valid);
  const Var y = max_pool(x, w);
  const std::vector<float> greatest = values_of(graph, leaves, y);
  EXPECT_EQ(greatest[0], 3);
  EXPECT_TRUE(std::isnan(greatest[1]));
  const Var seed = given(graph, leaves, "seed", {1, 1, 2, 1}, {1, 10});
  EXPECT_EQ(values_of(graph, leaves, pullback(y, std::vector{x}, seed)[0]),
            (std::vector<float>{1, 0, 0, 10, 0, 0, 0, 0, 0, 0}));
}

TEST(AvgPool, CountsWhatLiesInside) {
  Graph graph;
  Values leaves;
  const Var x = given(graph, leaves, "x", {1, 1, 5, 1}, {1, 3, 5, 7, 9});
  const Window w = window_over({1, 5}, {1, 2}, {1, 2}, Padding::same);
  EXPECT_EQ(values_of(graph, leaves, avg_pool(x, w)), (std::vector<float>{2, 6, 9}));
}

TEST(Upsample, IsPyTorchs) {
  Graph graph;
  Values leaves;
  const Var x = given(graph, leaves, "x", {1, 2, 2, 1}, {1, 2, 3, 4});
  EXPECT_EQ(values_of(graph, leaves, upsample_nearest(x, 2)),
            (std::vector<float>{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}));
  EXPECT_EQ(values_of(graph, leaves, upsample_bilinear(x, 2)),
            (std::vector<float>{1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3,
                                3.25, 3.75, 4}));
}

TEST(ChannelsFirst, IsPyTorchsOrder) {
  Graph graph;
  Values leaves;
  const Var x = given(graph, leaves, "x", {1, 2, 1, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(values_of(graph, leaves, channels_first(x)), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(values_of(graph, leaves, channels_last(channels_first(x))),
            (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

// ---- The library against the plain loops ---------------------------------------------------------------------------

std::vector<float> numbers(int64_t n, uint32_t seed) {
  std::vector<float> result(n);
  for (float& v : result) {
    seed = seed * 1664525u + 1013904223u;
    v = static_cast<float>(seed >> 8) * 0x1p-23f - 1;
  }
  return result;
}

/// Memory as the planner gives it.
struct Workspace {
  Device& device;
  void* p;
  Workspace(Device& d, size_t bytes) : device(d), p(d.allocate(bytes + 1)) {}
  ~Workspace() { device.release(p); }
  Workspace(const Workspace&) = delete;
};

double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, norm = 1e-30;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

TEST(CpuConv, TheLibraryAgreesWithTheLoops) {
  const auto device = open_device("cpu");
  for (const ConvCase& c : conv_cases()) {
    SCOPED_TRACE(c.name);
    const ConvProblem p{
        .window = c.window, .rows = c.rows, .channels = c.channels, .filters = c.filters};
    const auto large = numbers(c.large().elements(), 1), small = numbers(c.small().elements(), 2),
               weight = numbers(c.weight().elements(), 3);
    for (const ConvPass pass : {ConvPass::forward, ConvPass::transposed}) {
      const bool forward = pass == ConvPass::forward;
      const auto bias = numbers(forward ? c.filters : c.channels, 4);
      std::vector<float> out[2];
      for (const CpuBackend backend : {CpuBackend::fastest, CpuBackend::plain}) {
        const CpuConv<float> conv(p, pass, true, *device, backend);
        const Workspace workspace(*device, conv.workspace());
        auto& made = out[backend == CpuBackend::plain];
        made.resize(forward ? small.size() : large.size());
        conv.run(forward ? large.data() : small.data(), weight.data(), bias.data(), made.data(),
                 workspace.p, {});
      }
      EXPECT_LT(relative_difference(out[0], out[1]), 1e-5) << (forward ? "forward" : "transposed");
    }
    std::vector<float> dw[2], sums[2];
    for (const CpuBackend backend : {CpuBackend::fastest, CpuBackend::plain}) {
      const CpuConvWeight<float> conv(p, true, *device, backend);
      const Workspace workspace(*device, conv.workspace());
      const int i = backend == CpuBackend::plain;
      dw[i].resize(weight.size());
      sums[i].resize(c.filters);
      conv.run(large.data(), small.data(), dw[i].data(), sums[i].data(), workspace.p);
    }
    EXPECT_LT(relative_difference(dw[0], dw[1]), 1e-4);
    EXPECT_LT(relative_difference(sums[0], sums[1]), 1e-4);
  }
}

// ---- cuDNN -----------------------------------------------------------------------------------------------------------

/// An H200 as cuDNN describes one, so that plans can be made where there is none.
constexpr const char* kH200 =
    R"({"maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64],
        "regsPerBlock": 65536, "multiProcessorCount": 132, "warpSize": 32,
        "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 232448,
        "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536, "maxCtasPerSM": 32,
        "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "pciDeviceId": 0, "isTccDriver": 0,
        "supportCoopLaunch": 1, "totalGlobalMem": 150754820096, "smClockRateKHz": 1980000,
        "memClockRateKHz": 3201000, "l2CacheSize": 62914560, "cudaDeviceId": 0, "deviceVer": 900,
        "driverVer": 13000, "deviceName": "NVIDIA H200"})";

TEST(Cudnn, HasAnAdmissibleEngineForEverySampleOnAnH200) {
  if (cudnn_linked().empty()) GTEST_SKIP() << "a build without cuDNN 9.8: nothing to plan";
  for (const ConvCase& c : conv_cases()) {
    const ConvProblem p{
        .window = c.window, .rows = c.rows, .channels = c.channels, .filters = c.filters};
    for (const ConvPass pass : {ConvPass::forward, ConvPass::transposed, ConvPass::weight})
      for (const bool tf32 : {false, true})
        EXPECT_TRUE(cudnn_plans(p, pass, tf32, kH200))
            << c.name << ", pass " << static_cast<int>(pass) << (tf32 ? ", tf32" : ", fp32");
  }
}

// ---- Passes --------------------------------------------------------------------------------------------------------

/// How many nodes of the optimised graph have each name.
std::map<std::string, int> ops_of(const Graph& graph) {
  std::map<std::string, int> count;
  const Graph optimised = optimise(graph);
  for (const Node& node : optimised.nodes())
    if (node.op) ++count[node.op.name()];
  return count;
}

TEST(ConvPasses, ALayerAndItsGradientAreThreeOps) {
  Graph graph;
  Values leaves;
  const Window w = window_over({4, 4}, {3, 3}, {1, 1}, Padding::same);
  const Var x = given(graph, leaves, "x", {2, 4, 4, 1}, numbers(32, 1));
  Var v = x;
  std::vector<Var> parameters;
  for (int layer = 0; layer < 2; ++layer) {
    const int64_t in = layer ? 3 : 1;
    parameters.push_back(given(graph, leaves, cat("w", layer), {3, 3, 3, in}, numbers(27 * in, 2)));
    parameters.push_back(given(graph, leaves, cat("b", layer), {3}, numbers(3, 3)));
    v = relu(conv_layer(v, parameters[2 * layer], parameters[2 * layer + 1], w, false));
  }
  const std::vector<Var> gradients = gradient(sum(square(v)), parameters);
  for (size_t i = 0; i < gradients.size(); ++i) graph.output(cat("g", i), gradients[i]);
  const auto ops = ops_of(graph);
  EXPECT_EQ(ops.at("conv.relu"), 2);
  EXPECT_EQ(ops.at("conv.relu_gradient"), 1);
  EXPECT_EQ(ops.at("conv.weight_and_bias"), 2);
  EXPECT_FALSE(ops.contains("conv"));
  EXPECT_FALSE(ops.contains("conv.weight"));
  EXPECT_FALSE(ops.contains("relu"));
}

}  // namespace
}  // namespace latent
