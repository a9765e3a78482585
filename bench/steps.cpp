// Training steps: data lie on the device as stored, a step gathers its rows, computes loss and gradients, and updates.
//
//   a   784-32-784, relu                           b   784-1000-500-250-30 mirrored, relu, linear code
//   Both: Bernoulli, Adam, rows of MNIST's number and shape.
//
//   build/latent_bench --benchmark_filter=step/
//
// Time is the median of a step. On the CPU steps and rounds of their bare oneDNN products take turns, so that both meet
// the same machine: `products` is the median round in us, `ratio` a step over it. On a GPU a figure is the mean over a
// replay of many steps. `peak` is the share of the roofline (see kernels.cpp) and `launches` what the plan launches on
// CUDA. The same steps in PyTorch: bench/pytorch_baseline.py.
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
#include "core/plan/program.h"
#include "kernels/matmul/cublaslt.h"
#include "models/training.h"

namespace latent {
namespace {

struct Workload {
  const char* name;
  std::vector<int64_t> widths;  ///< of the input and every layer's output
  const char* model;
  int64_t batch;
  bool tf32 = false;  ///< on a GPU
};

constexpr const char* kSimple =
    "{bottleneck: {dense: 32, activation: relu}, likelihood: bernoulli}";
constexpr const char* kDeep =
    "{encoder: [{dense: [1000, 500, 250], activation: relu}], bottleneck: {dense: 30},"
    " likelihood: bernoulli}";

std::vector<Workload> workloads() {
  const std::vector<int64_t> simple{784, 32, 784};
  const std::vector<int64_t> deep{784, 1000, 500, 250, 30, 250, 500, 1000, 784};
  return {{"a", simple, kSimple, 256},
          {"b", deep, kDeep, 256},
          {"b", deep, kDeep, 4096},
          {"b", deep, kDeep, 256, true},
          {"b", deep, kDeep, 4096, true}};
}

constexpr int64_t kRows = 60000, kDrawn = 1000;
const Shape kRow{kStrokesSide, kStrokesSide, 1};

/// kDrawn digits over and over.
HostTensor make_rows() {
  const HostTensor drawn = make_strokes(kDrawn, 0).images;
  Shape shape = kRow;
  shape.insert(shape.begin(), kRows);
  HostTensor rows(Type{DType::u8, shape});
  for (size_t at = 0; at < rows.bytes.size(); at += drawn.bytes.size())
    std::ranges::copy(drawn.bytes, rows.bytes.begin() + static_cast<std::ptrdiff_t>(at));
  return rows;
}

void upload(Store& store) {
  static const HostTensor rows = make_rows();
  store.write("data.train.0", rows);
  store.write(names::kScale, host_tensor<float>({1}, std::vector<float>{1.0f / 255}));
}

/// The program of a workload and what it lives in.
struct Training {
  Training(const Workload& w, std::shared_ptr<Device> device) : store(std::move(device)) {
    const Value config = resolve_config(
        parse_yaml(cat("{data: {source: strokes}, model: ", w.model,
                       ", train: {steps: 1, batch_size: ", w.batch, ", optimizer: adam}}"),
                   "bench"),
        w.name);
    const Model model(config.at("model"), kRow, 0);
    const SplitSource rows{.name = "train", .rows = kRows, .rows_per_block = kRows};
    const TrainingOptions options{
        .batch = w.batch,
        .optimizer = make_optimizer(config.at("train").at("optimizer"), Schedule{})};
    program.emplace(training_graph(model, rows, options), store);
    upload(store);
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

void bench_step(benchmark::State& state, const Workload& w, std::shared_ptr<Device> device) {
  if (w.tf32) {  // another opening, since precision and peak belong to one
    device = open_device(device->name());
    device->slot<MatmulPrecision>().tf32 = true;
  }
  Training training(w, device);
  Program& program = *training.program;
  const std::function<void()> products =
      device->gpu() ? std::function<void()>() : onednn_products(w.widths, w.batch);
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
