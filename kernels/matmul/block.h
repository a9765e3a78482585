// The product of one block on one thread, by oneDNN or by plain loops. What runs in parallel, and
// in which order blocks are summed, is decided in cpu.h: so the bits never depend on the threads.
#pragma once

#include <cstddef>
#include <memory>

#include "core/device/device.h"
#include "kernels/matmul/gemm.h"

namespace latent {

template <class T>
class BlockProduct {
 public:
  virtual ~BlockProduct() = default;
  /// Bytes that each thread needs while it runs.
  virtual size_t scratch() const = 0;
  /// c = op(a) op(b) (+ bias [n], where made with one). `thread` is the caller's number within its
  /// team.
  virtual void run(int thread, const T* a, const T* b, const T* bias, T* c,
                   void* scratch) const = 0;
};

/// T is float or double.
template <class T>
std::unique_ptr<BlockProduct<T>> plain_block(const BlockShape& shape, bool bias);

/// For teams of up to `threads`; nullptr in a build without oneDNN.
std::unique_ptr<BlockProduct<float>> onednn_block(const BlockShape& shape, bool bias, int threads,
                                                  Device& device);

}  // namespace latent
