// Convolutions by cuDNN's graph API, NHWC. Builds without CUDA or cuDNN 9.8 have none: callers take tile.h instead.
#pragma once

#include <memory>
#include <string>

#include "core/device/backend.h"
#include "core/device/device.h"
#include "kernels/conv/problem.h"

namespace latent {
inline namespace LATENT_BACKEND {

class LibraryConv {
 public:
  virtual ~LibraryConv() = default;
  virtual size_t workspace() const = 0;
  /// out = the pass of its two operands. One launch, or what the library makes of it.
  virtual void run(Stream& stream, const float* a, const float* b, float* out,
                   void* workspace) const = 0;
};

/// nullptr in a build without cuDNN, and where it has no admissible engine. Its choice is its heuristic's first
/// candidate that is deterministic and, unless MatmulPrecision says tf32, computes in fp32: a function of library,
/// device and problem. Throws std::runtime_error on other failures.
std::shared_ptr<const LibraryConv> cudnn_conv(const ConvProblem& problem, ConvPass pass,
                                              Device& device);

/// Makes the same choice for a GPU that need not be there, described by cuDNN's JSON of device properties. False where
/// there is no admissible engine, or no cuDNN.
bool cudnn_plans(const ConvProblem& problem, ConvPass pass, bool tf32, const std::string& gpu);

/// "9.19.0", or "" in a build without cuDNN 9.8.
std::string cudnn_linked();

}  // namespace LATENT_BACKEND
}  // namespace latent
