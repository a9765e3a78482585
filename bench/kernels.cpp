// Kernels by themselves, with cold caches: every op's sample that says `bench`, on the CPU and on the GPU.
//
//   build/latent_bench --benchmark_filter=kernel/            all of them
//   build/latent_bench --benchmark_filter='kernel/.*/cuda'   on the GPU
//
// Time is the median of a call. GB/s and GFLOP/s count what the op's cost says it must move and compute; `peak` is the
// share of the roofline: the least time that the measured copy and product rates allow, over the time taken.
#include <benchmark/benchmark.h>

#include "bench/bench.h"
#include "bench/op_run.h"
#include "bench/timing.h"

namespace latent {
namespace {

void bench_kernel(benchmark::State& state, const Sample& sample, Device& device) {
  OpRun op(sample, device);
  CacheFlush flush(device);
  double seconds = 1;
  for (auto _ : state) {
    seconds = median(seconds_of(
        device,
        [&] {
          op.restore();
          flush();
        },
        [&] { op.run(); }));
    state.SetIterationTime(seconds);
  }
  const Cost cost = op.cost();
  state.counters["GB/s"] = cost.bytes / seconds * 1e-9;
  state.counters["GFLOP/s"] = cost.flops / seconds * 1e-9;
  state.counters["peak"] = device.slot<Peak>().floor(cost.flops, cost.bytes) / seconds;
}

}  // namespace

void register_kernels(const Devices& devices) {
  for (const Sample& sample : all_samples()) {
    if (!sample.bench || sample.op.is_view()) continue;
    for (const auto& device : devices)
      benchmark::RegisterBenchmark(
          cat("kernel/", sample.name, "/", device->name()).c_str(),
          [sample, device](benchmark::State& state) { bench_kernel(state, sample, *device); })
          ->Iterations(1)
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace latent
