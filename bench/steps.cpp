// Training steps: data lie on the device as stored, a step gathers its rows, computes loss and gradients, and updates.
//
//   a                   784-32-784, relu
//   b                   784-1000-500-250-30 mirrored, relu, linear code
//   c                   conv 32, pool, conv 32, pool, mirrored, relu; Gaussian noise 0.5, clipped
//   d                   variational: 784-512-20 mirrored, relu
//   e/tied, e/untied    contractive: 784-1000-784, sigmoid, Jacobian penalty in closed form
//   e-deep/exact        b with the penalty of its whole Jacobian
//   e-deep/hutchinson   b with that of one random probe
//   f                   LSTM autoencoder of 140 steps of one channel, 64 units, Gaussian likelihood
//   s/kl, s/l1          sparse: 784-1000-784, sigmoid, KL or L1 penalty
//   k                   k-sparse: 784-1000-784, linear, the 25 largest stay, tied, squared error
//   All: Adam, and where nothing else is said Bernoulli and rows of MNIST's number and shape.
//
//   build/latent_bench --benchmark_filter=step/
//
// Time is the median of a step; on a GPU, the mean over a replay of many steps. Where a model is a chain of dense layers,
// steps on the CPU take turns with rounds of their bare oneDNN products, so that both meet the same machine: `products`
// is the median round in us, `ratio` a step over it.
//
// `library` is the share of the time that library calls take (oneDNN, cuBLASLt, cuDNN), in further steps that run node
// by node. What is around a call does not count: loops of ours over what it made, as an activation or the gates of a
// recurrent layer, and waiting for other threads. On a GPU, where the host then waits for each kernel, a short one
// counts as its launch.
//
// `peak` is the share of the roofline (see kernels.cpp), `launches` what the plan launches on CUDA. a and b in PyTorch:
// bench/pytorch_baseline.py.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "bench/bench.h"
#include "bench/products.h"
#include "bench/timing.h"
#include "core/config/experiment.h"
#include "core/config/parse.h"
#include "core/data/strokes.h"
#include "core/data/waves.h"
#include "core/plan/program.h"
#include "kernels/matmul/cublaslt.h"
#include "models/training.h"

namespace latent {
namespace {

constexpr int64_t kRows = 60000, kDrawn = 1000;

/// `drawn` [kDrawn, row...] over and over: [kRows, row...].
HostTensor repeated(const HostTensor& drawn) {
  Type type = drawn.type;
  type.shape[0] = kRows;
  HostTensor rows(type);
  for (size_t at = 0; at < rows.bytes.size(); at += drawn.bytes.size())
    std::ranges::copy(drawn.bytes, rows.bytes.begin() + static_cast<std::ptrdiff_t>(at));
  return rows;
}

/// u8 [kRows, 28, 28, 1].
const HostTensor& digits() {
  static const HostTensor rows = repeated(make_strokes(kDrawn, 0).images);
  return rows;
}

/// f32 [kRows, 140, 1].
const HostTensor& series() {
  static const HostTensor rows = repeated(make_waves(kDrawn, 0).rows);
  return rows;
}

struct Workload {
  std::string name;
  int64_t batch;
  std::string model;
  /// Of the input and every layer's output, where the model is a chain of dense layers and nothing else.
  std::vector<int64_t> widths = {};
  const HostTensor& (*rows)() = digits;
  bool tf32 = false;  ///< on a GPU
};

std::vector<Workload> workloads() {
  const std::vector<int64_t> simple_widths{784, 32, 784},
      deep_widths{784, 1000, 500, 250, 30, 250, 500, 1000, 784};
  const std::string deep =
      "encoder: [{dense: [1000, 500, 250], activation: relu}], bottleneck: {dense: 30},"
      " likelihood: bernoulli";
  const std::string wide = "bottleneck: {dense: 1000, activation: sigmoid}, likelihood: bernoulli";
  const auto with = [](const std::string& model, const char* more) {
    return cat(model, ", ", more);
  };
  return {
      {"a", 256, "bottleneck: {dense: 32, activation: relu}, likelihood: bernoulli", simple_widths},
      {"b", 256, deep, deep_widths},
      {"b", 4096, deep, deep_widths},
      {"b", 256, deep, deep_widths, digits, true},
      {"b", 4096, deep, deep_widths, digits, true},
      {"c", 256,
       "corruption: {gaussian: 0.5, clip: [0, 1]}, bottleneck: identity, likelihood: bernoulli,"
       " encoder: [{conv: 32, activation: relu}, max_pool, {conv: 32, activation: relu},"
       " max_pool]"},
      {"d", 128,
       "encoder: [{dense: 512, activation: relu}], bottleneck: {gaussian: 20},"
       " likelihood: bernoulli"},
      {"e/tied", 256, with(wide, "decoder: {mirror: tied}, penalties: [{jacobian: 0.1}]")},
      {"e/untied", 256, with(wide, "penalties: [{jacobian: 0.1}]")},
      {"e-deep/exact", 256, with(deep, "penalties: [{jacobian: 0.1, estimator: exact}]")},
      {"e-deep/hutchinson", 256, with(deep, "penalties: [{jacobian: 0.1, estimator: hutchinson}]")},
      {"f", 128, "encoder: [{lstm: 64}], bottleneck: identity, likelihood: gaussian", {}, series},
      {"s/kl", 256, with(wide, "penalties: [{kl_sparsity: 3, rho: 0.05}]")},
      {"s/l1", 256, with(wide, "penalties: [{l1: 1.0e-4}]")},
      {"k", 256, "bottleneck: {topk: 1000, k: 25}, decoder: {mirror: tied}, likelihood: mse"},
  };
}

/// The program of a workload and what it lives in.
struct Training {
  Training(const Workload& w, std::shared_ptr<Device> device) : store(std::move(device)) {
    // The source is none of the configuration's: rows are uploaded here.
    const Value config = resolve_config(
        parse_yaml(cat("{data: {source: strokes}, model: {", w.model,
                       "}, train: {steps: 1, batch_size: ", w.batch, ", optimizer: adam}}"),
                   "bench"),
        "step");
    const HostTensor& rows = w.rows();
    const Shape& shape = rows.type.shape;
    const Model model(config.at("model"), Shape(shape.begin() + 1, shape.end()), 0);
    const SplitSource source{
        .name = "train", .stored = rows.type.dtype, .rows = kRows, .rows_per_block = kRows};
    const TrainingOptions options{
        .batch = w.batch,
        .optimizer = make_optimizer(config.at("train").at("optimizer"), Schedule{})};
    program.emplace(training_graph(model, source, options), store);
    const float scale = rows.type.dtype == DType::u8 ? 1.0f / 255 : 1;
    store.write("data.train.0", rows);
    store.write(names::kScale, host_tensor<float>({1}, std::vector<float>{scale}));
  }
  Store store;
  std::optional<Program> program;
};

/// On the CPU: medians of a step and of a round of products, in turns.
std::pair<double, double> take_turns(Program& program, Device& cpu,
                                     const std::function<void()>& products) {
  constexpr double kSeconds = 3;
  constexpr size_t kLeast = 15;
  std::vector<double> step, round;
  Stopwatch watch(cpu), whole(cpu);
  whole.start();
  for (int warm_up = 3; step.size() < kLeast || whole.stop() < kSeconds; --warm_up) {
    watch.start();
    program.run();
    const double of_step = watch.stop();
    watch.start();
    if (products) products();
    const double of_round = watch.stop();
    if (warm_up > 0) continue;
    step.push_back(of_step);
    round.push_back(of_round);
  }
  return {median(step), median(round)};
}

/// On a GPU: the median over runs of many steps.
double replayed(Program& program, Device& device) {
  constexpr int64_t kSteps = 64;
  program.run(1 + kSteps);
  return median(seconds_of(device, {}, [&] { program.run(kSteps); })) / kSteps;
}

/// The share of library calls in a step's time, of steps that run node by node.
double library_share(Program& program) {
  double seconds = 0, library = 0;
  for (const NodeTime& t : program.profile(1)) seconds += t.seconds, library += t.library;
  return library / seconds;
}

void bench_step(benchmark::State& state, const Workload& w, std::shared_ptr<Device> device) {
  if (w.tf32) {  // another opening, since precision and peak belong to one
    device = open_device(device->name());
    device->slot<MatmulPrecision>().tf32 = true;
  }
  Training training(w, device);
  Program& program = *training.program;
  const std::function<void()> products = device->gpu() || w.widths.empty()
                                             ? std::function<void()>()
                                             : onednn_products(w.widths, w.batch);
  double seconds = 1, of_products = 0;
  for (auto _ : state) {
    if (device->gpu())
      seconds = replayed(program, *device);
    else
      std::tie(seconds, of_products) = take_turns(program, *device, products);
    state.SetIterationTime(seconds);
  }
  const Cost cost = program.plan().total();
  state.counters["examples/s"] = static_cast<double>(w.batch) / seconds;
  state.counters["launches"] = cost.launches;
  state.counters["peak"] = device->slot<Peak>().floor(cost.flops, cost.bytes) / seconds;
  state.counters["library"] = library_share(program);
  if (!products) return;
  state.counters["products"] = 1e6 * of_products;
  state.counters["ratio"] = seconds / of_products;
}

}  // namespace

void register_steps(const Devices& devices) {
  for (const Workload& w : workloads())
    for (const auto& device : devices) {
      if (w.tf32 && !device->gpu()) continue;
      const std::string name =
          cat("step/", w.name, "/", w.batch, w.tf32 ? "/tf32/" : "/", device->name());
      benchmark::RegisterBenchmark(
          name.c_str(), [w, device](benchmark::State& state) { bench_step(state, w, device); })
          ->Iterations(1)
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
}

}  // namespace latent
