// Products by cuBLASLt, with what its epilogues can do. Builds without CUDA have none: callers take tile.h instead.
#pragma once

#include <memory>

#include "core/device/backend.h"
#include "core/device/device.h"
#include "kernels/matmul/gemm.h"

namespace latent {

/// Whether fp32 products may round their operands to TF32 (10 bits of mantissa); a slot of the Device.
struct MatmulPrecision {
  explicit MatmulPrecision(Device&) {}
  bool tf32 = false;
};

enum class LibraryEpilogue {
  none,
  bias,       ///< + bias [n]
  relu,       ///< max(., 0)
  relu_bias,  ///< max(. + bias [n], 0)
  rows_of_a,  ///< also the sums over k of op(A): [m]
  cols_of_b,  ///< also the sums over k of op(B): [n]
};

inline namespace LATENT_BACKEND {

class LibraryProduct {
 public:
  virtual ~LibraryProduct() = default;
  virtual size_t workspace() const = 0;
  /// Counts as one launch; where the library cuts k into slices, it adds them up in a second kernel. `vector` is the bias, or takes the sums; nullptr where the epilogue has neither. `more`, like c, is
  /// added to the product; nullptr: nothing is.
  virtual void run(Stream& stream, const float* a, const float* b, void* vector, const float* more,
                   float* c, void* workspace) const = 0;
};

/// nullptr in a build without CUDA, and where cuBLASLt has no such product. Its choice is its heuristic's first
/// candidate that is deterministic: a function of library, device, sizes and epilogue. Throws std::runtime_error
/// on other failures.
std::shared_ptr<const LibraryProduct> cublaslt_product(const Gemm& gemm, LibraryEpilogue epilogue,
                                                       Device& device);

}  // namespace LATENT_BACKEND
}  // namespace latent
