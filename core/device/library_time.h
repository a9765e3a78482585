// How long a device is in calls of libraries (oneDNN, cuBLASLt, cuDNN). Taken only while somebody asks, since that
// costs two looks at the clock a call and, on a GPU, two waits.
#pragma once

#include <omp.h>

#include <atomic>
#include <chrono>

#include "core/device/device.h"

namespace latent {

/// A slot of the Device. Whoever calls a library puts a LibraryCall around it.
class LibraryTime {
 public:
  explicit LibraryTime(Device& device) : device_(device) {}

  void start() {
    seconds_ = 0;
    taken_ = true;
  }
  /// Seconds in library calls since start(). A call by one of n threads that work together counts 1/n of its time, so
  /// that this is never more than what the clock on the wall says.
  double stop() {
    taken_ = false;
    return seconds_;
  }

 private:
  friend class LibraryCall;
  Device& device_;
  std::atomic<double> seconds_ = 0;
  bool taken_ = false;
};

/// Lives as long as a call, on the thread that makes it.
class LibraryCall {
 public:
  explicit LibraryCall(LibraryTime& time) : time_(time) {
    if (time_.taken_) begin_ = now();
  }
  ~LibraryCall() {
    if (!time_.taken_) return;
    const std::chrono::duration<double> taken = now() - begin_;
    time_.seconds_ += taken.count() / omp_get_num_threads();
  }
  LibraryCall(const LibraryCall&) = delete;

 private:
  std::chrono::steady_clock::time_point now() const {
    if (time_.device_.gpu()) time_.device_.synchronize();
    return std::chrono::steady_clock::now();
  }

  LibraryTime& time_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace latent
