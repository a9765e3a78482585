// How benches take time: a stopwatch that reads the device's clock, caches emptied between calls, the median of many
// calls, and what a machine can do at most.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "core/device/device.h"

namespace latent {

/// The middle value, or the mean of the two in the middle; of at least one.
double median(std::vector<double> values);

/// Seconds that a device worked: CUDA events on its lane 0, the steady clock elsewhere.
class Stopwatch {
 public:
  explicit Stopwatch(Device& device);
  ~Stopwatch();
  Stopwatch(const Stopwatch&) = delete;

  void start();
  /// Waits for the work queued since start().
  double stop();

 private:
  struct Clock;
  std::unique_ptr<Clock> clock_;
};

/// Puts other memory into the caches of a device: call it before what is timed.
class CacheFlush {
 public:
  explicit CacheFlush(Device& device);
  ~CacheFlush();
  CacheFlush(const CacheFlush&) = delete;

  void operator()();

 private:
  Device& device_;
  size_t bytes_;  ///< of each half
  std::byte* halves_[2] = {};
};

/// Seconds of each call of `timed`, over 0.4 s in all with `before`, which is not timed; at least 10 and at most 2000
/// calls, behind 3 that are not counted.
std::vector<double> seconds_of(Device& device, const std::function<void()>& before,
                               const std::function<void()>& timed);

/// The most that this device was seen to do, measured at first use: `device.slot<Peak>()`.
struct Peak {
  explicit Peak(Device& device);
  double bytes = 0;  ///< a second, read and written, by a copy far larger than the caches
  double flops =
      0;  ///< a second, by a large matrix product in f32 (TF32 where the device is set so)

  /// The least seconds that such work could take.
  double floor(double flops_done, double bytes_moved) const;
};

}  // namespace latent
