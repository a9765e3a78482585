// latent_bench: kernels (bench/kernels.cpp) and training steps (bench/steps.cpp).
//
//   build/latent_bench                                       everything, on the CPU and on the GPU if there is one
//   build/latent_bench --benchmark_filter=step/              training steps
//   build/latent_bench --benchmark_list_tests
//   build/latent_bench --benchmark_format=json               for machines; or --benchmark_out=FILE beside the table
//   OMP_NUM_THREADS=1 build/latent_bench                     with one thread
//
// A machine that does other work at the time disturbs every figure here. OMP_PROC_BIND=true, which keeps threads from
// sharing a core, and GOMP_SPINCOUNT=1000, which keeps waiting ones from holding theirs, help a little.
#include <benchmark/benchmark.h>

#include <cmath>
#include <iostream>
#include <string_view>

#include "bench/bench.h"
#include "bench/timing.h"
#include "core/base/error.h"
#include "core/base/version.h"

namespace latent {
namespace {

/// The CPU and the GPU. The simt executor is a checker, whose times say nothing.
Devices open_devices() {
  Devices devices{open_device("cpu")};
#if defined(LATENT_GPU_CUDA)
  if (gpu_count() > 0) devices.push_back(open_device("cuda"));
#endif
  return devices;
}

void describe(Device& device) {
  const auto rate = [](double per_second) { return std::lround(per_second * 1e-9); };
  const Peak& peak = device.slot<Peak>();
  benchmark::AddCustomContext(device.name(), device.description());
  benchmark::AddCustomContext(
      device.name() + " peak",
      cat("copy ", rate(peak.bytes), " GB/s, product ", rate(peak.flops), " GFLOP/s"));
}

int bench(int argc, char** argv) {
  bool list = false;
  for (int i = 1; i < argc; ++i)
    list |= std::string_view(argv[i]).starts_with("--benchmark_list_tests");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const Devices devices = open_devices();
  benchmark::AddCustomContext("latent", cat(version(), " ", commit()));
  for (const LibraryVersion& library : library_versions())
    benchmark::AddCustomContext(std::string(library.name), std::string(library.version));
  if (!list)
    for (const auto& device : devices) describe(*device);
  register_kernels(devices);
  register_steps(devices);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace latent

int main(int argc, char** argv) {
  try {
    return latent::bench(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "latent_bench: " << e.what() << "\n";
    return 1;
  }
}
