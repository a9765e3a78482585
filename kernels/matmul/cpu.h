// A product on the CPU: cut into blocks by its size alone, a block a task, each on one thread.
#pragma once

#include <functional>

#include "kernels/matmul/block.h"

namespace latent {

/// How C is cut: blocks of rows x cols, and K into slices of depth whose products are summed in
/// order.
struct Blocking {
  int64_t rows, cols, depth;
};
/// A function of the problem alone.
Blocking blocking(const Gemm& gemm);

/// A block of C, and its number among `count`.
struct Block {
  int64_t index, count;
  int64_t matrix;  ///< of the batch
  int64_t row, rows, col, cols;
};

enum class CpuBackend { fastest, plain };

/// T is float or double; float uses oneDNN where the build has it, unless told otherwise.
template <class T>
class CpuGemm {
 public:
  /// Called on the thread that made a block, as soon as it is made.
  using Finish = std::function<void(const Block&)>;

  CpuGemm(const Gemm& gemm, bool bias, Device& device, CpuBackend backend = CpuBackend::fastest);

  size_t workspace() const { return partial_bytes_ + threads_ * scratch_; }
  /// c = op(a) op(b) (+ bias [n], nullptr where made without one).
  void run(const T* a, const T* b, const T* bias, T* c, void* workspace,
           const Finish& finish = {}) const;

 private:
  struct Task;
  Task task(int64_t index) const;
  BlockProduct<T>& product(const Task& task) const;
  void multiply(int64_t index, const T* a, const T* b, const T* bias, T* c, void* workspace) const;
  void sum_slices(const Block& block, const T* bias, T* c, const T* partial) const;

  Gemm gemm_;
  Blocking cut_;
  int64_t rows_, cols_, slices_;  ///< how many of each
  int threads_;                   ///< the most that a team may have
  size_t partial_bytes_ = 0, scratch_ = 0;
  bool bias_;
  /// By whether the block is the last of its rows, its columns, its slices; shared, as kernels are
  /// copied.
  std::shared_ptr<BlockProduct<T>> products_[2][2][2];
};

extern template class CpuGemm<float>;
extern template class CpuGemm<double>;

}  // namespace latent
