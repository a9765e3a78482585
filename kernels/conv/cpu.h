// A convolution on the CPU: cut into blocks of images by its size alone, a block a task, each on one thread.
#pragma once

#include <functional>

#include "kernels/conv/block.h"
#include "kernels/matmul/cpu.h"

namespace latent {

/// The forward and the transposed pass. T is float or double; float uses oneDNN where the build has it, unless told
/// otherwise.
template <class T>
class CpuConv {
 public:
  /// Called with a range of the output's elements on the thread that made them.
  using Finish = std::function<void(int64_t begin, int64_t end)>;

  CpuConv(const ConvProblem& problem, ConvPass pass, bool bias, Device& device,
          CpuBackend backend = CpuBackend::fastest);

  size_t workspace() const { return shared_bytes_ + threads_ * scratch_; }
  /// out = the pass of `in` and w (+ bias, nullptr where made without one).
  void run(const T* in, const T* w, const T* bias, T* out, void* workspace,
           const Finish& finish) const;

 private:
  void run_one(const T* in, const T* w, const T* bias, T* out, int64_t first, void* workspace,
               const Finish& finish) const;

  ConvProblem problem_;
  ConvPass pass_;
  int64_t block_rows_, blocks_;
  int threads_;  ///< the most that a team may have
  size_t shared_bytes_ = 0, scratch_ = 0;
  std::shared_ptr<ConvBlock<T>> convs_[2];  ///< by whether the block is the last, of fewer rows
};

/// The gradient in the weight: at most 8 slices of rows, each on one thread, summed in order.
template <class T>
class CpuConvWeight {
 public:
  CpuConvWeight(const ConvProblem& problem, bool sums, Device& device,
                CpuBackend backend = CpuBackend::fastest);

  size_t workspace() const;
  /// dw, and into `sums` those of small's channels (nullptr where made without them).
  void run(const T* large, const T* small, T* dw, T* sums, void* workspace) const;

 private:
  void run_one(const T* large, const T* small, T* dw, T* sums, void* workspace) const;

  ConvProblem problem_;
  int64_t slice_rows_, slices_,
      partial_;  ///< elements of a slice's result, its sums behind its weights
  int threads_;
  size_t scratch_ = 0;
  std::shared_ptr<ConvBlock<T>> convs_[2];
};

extern template class CpuConv<float>;
extern template class CpuConv<double>;
extern template class CpuConvWeight<float>;
extern template class CpuConvWeight<double>;

}  // namespace latent
