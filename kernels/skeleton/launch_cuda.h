// launch() and Thread on CUDA; included by launch.h.
#pragma once

#include <cstdint>
#include <type_traits>

#include "core/device/cuda_check.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// What a kernel sees of itself: the same members as core/device/simt.h.
class Thread {
 public:
  LATENT_KERNEL int thread() const { return threadIdx.x; }
  LATENT_KERNEL int threads() const { return blockDim.x; }
  LATENT_KERNEL int lane() const { return threadIdx.x % 32; }
  LATENT_KERNEL int warp() const { return threadIdx.x / 32; }
  LATENT_KERNEL int warps() const { return blockDim.x / 32; }
  LATENT_KERNEL int64_t block() const { return blockIdx.x; }
  LATENT_KERNEL int64_t block_y() const { return blockIdx.y; }
  LATENT_KERNEL int64_t block_z() const { return blockIdx.z; }
  LATENT_KERNEL int64_t blocks() const { return gridDim.x; }
  LATENT_KERNEL int64_t blocks_y() const { return gridDim.y; }
  LATENT_KERNEL int64_t blocks_z() const { return gridDim.z; }

  LATENT_KERNEL void sync() { __syncthreads(); }
  LATENT_KERNEL void sync_warp() { __syncwarp(); }

  template <class T>
  LATENT_KERNEL T shuffle(T value, int lane) {
    return by_words(value, [lane](uint32_t w) { return __shfl_sync(kAll, w, lane); });
  }
  template <class T>
  LATENT_KERNEL T shuffle_xor(T value, int mask) {
    return by_words(value, [mask](uint32_t w) { return __shfl_xor_sync(kAll, w, mask); });
  }
  template <class T>
  LATENT_KERNEL T shuffle_down(T value, int delta) {
    return by_words(value, [delta](uint32_t w) { return __shfl_down_sync(kAll, w, delta); });
  }
  template <class T>
  LATENT_KERNEL T shuffle_up(T value, int delta) {
    return by_words(value, [delta](uint32_t w) { return __shfl_up_sync(kAll, w, delta); });
  }
  LATENT_KERNEL uint32_t ballot(bool yes) { return __ballot_sync(kAll, yes); }

  template <class T>
  LATENT_KERNEL T atomic_add(T* p, T value) {
    static_assert(std::is_integral_v<T>);
    if constexpr (sizeof(T) == 8) {
      return static_cast<T>(atomicAdd(reinterpret_cast<unsigned long long*>(p),
                                      static_cast<unsigned long long>(value)));
    } else {
      return atomicAdd(p, value);
    }
  }
  template <class T>
  LATENT_KERNEL T atomic_max(T* p, T value) {
    static_assert(std::is_integral_v<T> && sizeof(T) == 4);
    return atomicMax(p, value);
  }
  LATENT_KERNEL void fence() { __threadfence(); }

 private:
  static constexpr uint32_t kAll = 0xffffffffu;

  /// Moves a plain value through a shuffle of 32-bit words.
  template <class T, class Shuffle>
  static LATENT_KERNEL T by_words(T value, Shuffle shuffle) {
    static_assert(std::is_trivially_copyable_v<T>);
    if constexpr (sizeof(T) == 4) {
      return __builtin_bit_cast(T, shuffle(__builtin_bit_cast(uint32_t, value)));
    } else {
      constexpr int kWords = (sizeof(T) + 3) / 4;
      uint32_t words[kWords] = {};
      memcpy(words, &value, sizeof(T));
#pragma unroll
      for (int i = 0; i < kWords; ++i) words[i] = shuffle(words[i]);
      memcpy(&value, words, sizeof(T));
      return value;
    }
  }
};

namespace cuda {

/// A kernel may say `static constexpr int max_threads = 256;`: it gets more registers.
template <class K>
constexpr int max_threads() {
  if constexpr (requires { K::max_threads; }) {
    return K::max_threads;
  } else {
    return 1024;
  }
}

template <class K>
__global__ void __launch_bounds__(max_threads<K>()) run(const K kernel) {
  Thread t;
  kernel(t);
}

}  // namespace cuda

/// Queues the kernel on the stream and counts it. Throws std::logic_error on a grid that no GPU
/// takes.
template <class K>
void launch(Stream& stream, const Grid& grid, const K& kernel) {
  check_grid(grid);
  if (empty(grid)) return;
  const dim3 blocks(static_cast<unsigned>(grid.blocks), static_cast<unsigned>(grid.blocks_y),
                    static_cast<unsigned>(grid.blocks_z));
  cuda::run<K><<<blocks, grid.threads, 0, static_cast<cudaStream_t>(stream.native)>>>(kernel);
  cuda::check(cudaGetLastError(), typeid(K).name());
  ++stream.launches;
}

}  // namespace LATENT_BACKEND
}  // namespace latent

#define SHARED(T, name, n) __shared__ T name[n]
