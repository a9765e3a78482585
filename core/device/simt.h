// A GPU on the host, for tests: the source of a kernel runs with one fiber a thread. A launch runs
// twice, threads and blocks ascending and then descending, and both must leave the same bits in
// device memory: a missing barrier shows. Shared memory starts as NaN and has guards; a barrier
// that not all threads reach is an error.
#pragma once

#include <cstdint>
#include <cstring>
#include <source_location>
#include <stdexcept>
#include <type_traits>

#include "core/device/backend.h"
#include "core/device/device.h"
#include "core/device/grid.h"

#if !defined(LATENT_GPU_CUDA)

namespace latent {

/// A kernel broke a rule of the GPU. The message names the kernel, the block and the thread.
class SimtError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

inline namespace LATENT_BACKEND {

class SimtBlock;

/// What a kernel sees of itself: the same members as on CUDA.
class Thread {
 public:
  using Here = std::source_location;

  int thread() const { return thread_; }
  int threads() const { return grid_->threads; }
  int lane() const { return thread_ % 32; }
  int warp() const { return thread_ / 32; }
  int warps() const { return grid_->threads / 32; }
  int64_t block() const { return block_; }
  int64_t block_y() const { return block_y_; }
  int64_t block_z() const { return block_z_; }
  int64_t blocks() const { return grid_->blocks; }
  int64_t blocks_y() const { return grid_->blocks_y; }
  int64_t blocks_z() const { return grid_->blocks_z; }

  /// Barrier of the block.
  void sync(Here here = Here::current());
  /// Barrier of the warp.
  void sync_warp(Here here = Here::current()) { publish(nullptr, 0, here); }

  /// The value of another lane; every lane of the warp must take part.
  template <class T>
  T shuffle(T value, int lane, Here here = Here::current()) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kSlot);
    const std::byte* slots = publish(&value, sizeof(T), here);
    std::memcpy(&value, slots + kSlot * (lane & 31), sizeof(T));
    return value;
  }
  template <class T>
  T shuffle_xor(T value, int mask, Here here = Here::current()) {
    return shuffle(value, lane() ^ mask, here);
  }
  /// A lane without a partner keeps its own value.
  template <class T>
  T shuffle_down(T value, int delta, Here here = Here::current()) {
    return shuffle(value, lane() + delta < 32 ? lane() + delta : lane(), here);
  }
  template <class T>
  T shuffle_up(T value, int delta, Here here = Here::current()) {
    return shuffle(value, lane() >= delta ? lane() - delta : lane(), here);
  }
  /// Bit l is set where lane l said true.
  uint32_t ballot(bool yes, Here here = Here::current());

  /// Returns the old value. Integers only: sums of floats must not depend on the order.
  template <class T>
  T atomic_add(T* p, T value) {
    static_assert(std::is_integral_v<T>);
    const T old = *p;
    *p = old + value;
    return old;
  }
  template <class T>
  T atomic_max(T* p, T value) {
    static_assert(std::is_integral_v<T>);
    const T old = *p;
    if (value > old) *p = value;
    return old;
  }
  /// Writes before it are seen by other blocks before writes after it.
  void fence() {}

 private:
  friend class SimtBlock;
  static constexpr size_t kSlot = 32;  ///< bytes a lane can publish

  /// Shows `bytes` bytes to the warp, waits for its other lanes, and returns their 32 slots.
  const std::byte* publish(const void* value, size_t bytes, Here here);

  const Grid* grid_ = nullptr;
  SimtBlock* group_ = nullptr;
  int thread_ = 0;
  int64_t block_ = 0, block_y_ = 0, block_z_ = 0;
};

namespace simt {

/// Runs `body(kernel, thread)` for every thread of the grid; twice, unless told otherwise. Throws
/// SimtError.
void run(Stream& stream, const Grid& grid, const char* kernel_name, const void* kernel,
         void (*body)(const void* kernel, Thread& thread));

/// Memory of the running block, one piece a `site`.
void* shared_memory(const void* site, size_t bytes);

/// 2: every launch runs in both orders (the default); 1: only ascending, for long runs. The
/// environment's LATENT_SIMT_ORDERS gives the first value. Returns the former one.
int set_orders(int orders);

}  // namespace simt
}  // namespace LATENT_BACKEND
}  // namespace latent

/// An array of the block's shared memory; T is a plain type and n a constant.
#define SHARED(T, name, n)           \
  static const char name##_site = 0; \
  T(&name)                           \
  [n] = *reinterpret_cast<T(*)[n]>(::latent::simt::shared_memory(&name##_site, sizeof(T) * (n)))

#endif
