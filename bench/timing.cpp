#include "bench/timing.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "bench/op_run.h"
#include "kernels/matmul/matmul.h"

#if defined(LATENT_GPU_CUDA)
#include "core/device/cuda_check.h"
#endif

namespace latent {
namespace {

using Steady = std::chrono::steady_clock;

double seconds_since(Steady::time_point then) {
  return std::chrono::duration<double>(Steady::now() - then).count();
}

/// Copies with every thread; f32 so that the loop is vectorised, n a multiple of 16.
void copy_in_parallel(float* to, const float* from, int64_t n) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < n; ++i) to[i] = from[i];
}

/// Each half of what empties the caches: twice the last level of a CPU, or 128 MiB, more than the L2 of any GPU.
size_t flush_bytes(const Device& device) {
  constexpr long kLeast = 32l << 20, kMost = 512l << 20;
  if (device.gpu()) return size_t{128} << 20;
  return std::clamp(2 * sysconf(_SC_LEVEL3_CACHE_SIZE), kLeast, kMost);
}

double best_seconds(Device& device, const std::function<void()>& timed) {
  return std::ranges::min(seconds_of(device, {}, timed));
}

double copy_rate(Device& device) {
  CacheFlush copy(device);
  const double bytes = 2.0 * static_cast<double>(flush_bytes(device));
  return bytes / best_seconds(device, [&] { copy(); });
}

double product_rate(Device& device) {
  const int64_t n = device.gpu() ? 8192 : 1536;
  const Type matrix{DType::f32, {n, n}};
  OpRun product({.name = "peak", .op = MatMul{}, .in = {matrix, matrix}}, device);
  return product.cost().flops / best_seconds(device, [&] { product.run(); });
}

}  // namespace

double median(std::vector<double> values) {
  const auto middle = values.begin() + values.size() / 2;
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

struct Stopwatch::Clock {
  Device& device;
  Steady::time_point begin = {};
#if defined(LATENT_GPU_CUDA)
  cudaEvent_t events[2] = {};
  cudaStream_t stream() { return static_cast<cudaStream_t>(device.stream().native); }
#endif
};

#if defined(LATENT_GPU_CUDA)

Stopwatch::Stopwatch(Device& device) : clock_(new Clock{device}) {
  if (!device.gpu()) return;
  for (cudaEvent_t& event : clock_->events) LATENT_CUDA(cudaEventCreate(&event));
}

Stopwatch::~Stopwatch() {
  for (cudaEvent_t event : clock_->events)
    if (event) cudaEventDestroy(event);
}

void Stopwatch::start() {
  if (clock_->device.gpu())
    LATENT_CUDA(cudaEventRecord(clock_->events[0], clock_->stream()));
  else
    clock_->begin = Steady::now();
}

double Stopwatch::stop() {
  if (!clock_->device.gpu()) return seconds_since(clock_->begin);
  LATENT_CUDA(cudaEventRecord(clock_->events[1], clock_->stream()));
  LATENT_CUDA(cudaEventSynchronize(clock_->events[1]));
  float milliseconds = 0;
  LATENT_CUDA(cudaEventElapsedTime(&milliseconds, clock_->events[0], clock_->events[1]));
  return 1e-3 * milliseconds;
}

#else

Stopwatch::Stopwatch(Device& device) : clock_(new Clock{device}) {}
Stopwatch::~Stopwatch() = default;
void Stopwatch::start() { clock_->begin = Steady::now(); }
double Stopwatch::stop() {
  clock_->device.synchronize();
  return seconds_since(clock_->begin);
}

#endif

CacheFlush::CacheFlush(Device& device) : device_(device), bytes_(flush_bytes(device)) {
  for (std::byte*& half : halves_) {
    half = static_cast<std::byte*>(device.allocate(bytes_));
    if (!device.gpu()) std::memset(half, 0, bytes_);
  }
  (*this)();
}

CacheFlush::~CacheFlush() {
  device_.synchronize();
  for (std::byte* half : halves_) device_.release(half);
}

void CacheFlush::operator()() {
  if (device_.gpu())
    device_.copy(device_.stream(), halves_[0], halves_[1], bytes_);
  else  // with every thread, so that each core's own caches are emptied
    copy_in_parallel(reinterpret_cast<float*>(halves_[0]),
                     reinterpret_cast<const float*>(halves_[1]), bytes_ / sizeof(float));
}

std::vector<double> seconds_of(Device& device, const std::function<void()>& before,
                               const std::function<void()>& timed) {
  constexpr double kBudget = 0.4;
  constexpr size_t kLeast = 10, kMost = 2000;
  constexpr int kWarmUp = 3;
  for (int i = 0; i < kWarmUp; ++i) timed();
  device.synchronize();
  Stopwatch watch(device);
  std::vector<double> seconds;
  const auto begin = Steady::now();
  while (seconds.size() < kLeast || (seconds.size() < kMost && seconds_since(begin) < kBudget)) {
    if (before) before();
    watch.start();
    timed();
    seconds.push_back(watch.stop());
  }
  return seconds;
}

Peak::Peak(Device& device) : bytes(copy_rate(device)), flops(product_rate(device)) {}

double Peak::floor(double flops_done, double bytes_moved) const {
  return std::max(flops_done / flops, bytes_moved / bytes);
}

}  // namespace latent
