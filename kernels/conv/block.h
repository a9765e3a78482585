// The convolution of a few images on one thread, by oneDNN or by plain loops. What runs in parallel, and in which
// order the slices of a weight's gradient are summed, is decided in cpu.h: so the bits never depend on the threads.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "core/device/device.h"
#include "kernels/conv/problem.h"
#include "kernels/matmul/block.h"

namespace latent {

/// Which of them is made depends on the pass.
template <class T>
struct ConvOperands {
  T *large, *small;
  T* weight;  ///< in the block's order where it is read, in the op's where it is made
  T* vector;  ///< forward: the bias [filters]; weight: takes small's sums [filters]; may be nullptr
};

template <class T>
class ConvBlock {
 public:
  virtual ~ConvBlock() = default;
  /// Bytes that each thread needs while it runs.
  virtual size_t scratch() const = 0;
  /// Elements of a weight in the block's own order, in which it is read; 0: that is the op's.
  virtual int64_t reordered() const { return 0; }
  virtual void reorder(const T* /*from*/, T* /*to*/) const {}
  /// `thread` is the caller's number within its team; operands are this block's rows.
  virtual void run(int thread, const ConvOperands<T>& operands, void* scratch) const = 0;
};

/// T is float or double. `problem.rows` is the block's; `vector`: as ConvOperands has it.
template <class T>
std::unique_ptr<ConvBlock<T>> plain_conv(const ConvProblem& problem, ConvPass pass, bool vector);

/// The product of a shape on one thread.
template <class T>
using MakeProduct = std::function<std::unique_ptr<BlockProduct<T>>(const BlockShape&)>;

/// The forward and the weight pass with one filter, and the transposed pass with one channel.
inline bool ends_in_one_channel(const ConvProblem& p, ConvPass pass) {
  return pass == ConvPass::transposed ? p.channels == 1 : p.filters == 1;
}
/// For these.
template <class T>
std::unique_ptr<ConvBlock<T>> one_channel_conv(const ConvProblem& problem, ConvPass pass,
                                               const MakeProduct<T>& make);

/// For teams of up to `threads`; nullptr in a build without oneDNN, and where it has no fast code.
std::unique_ptr<ConvBlock<float>> onednn_conv(const ConvProblem& problem, ConvPass pass,
                                              bool vector, int threads, Device& device);

}  // namespace latent
