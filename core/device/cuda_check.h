// Every return code of the CUDA runtime is checked: LATENT_CUDA(cudaFree(p)).
#pragma once

#include <cuda_runtime_api.h>

#include <stdexcept>

#include "core/device/backend.h"

namespace latent {

/// A call of the CUDA runtime failed; `code` is what it returned.
class CudaError : public std::runtime_error {
 public:
  CudaError(cudaError_t error, const char* call);
  cudaError_t code;
};

inline namespace LATENT_BACKEND {
namespace cuda {

/// Throws CudaError naming the call.
void fail(cudaError_t error, const char* call);

inline void check(cudaError_t error, const char* call) {
  if (error != cudaSuccess) fail(error, call);
}

}  // namespace cuda
}  // namespace LATENT_BACKEND
}  // namespace latent

#define LATENT_CUDA(call) ::latent::cuda::check((call), #call)
