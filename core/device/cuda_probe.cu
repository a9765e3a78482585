#include "core/device/cuda_probe.h"

#if defined(LATENT_GPU_CUDA)

#include "core/base/error.h"
#include "core/device/cuda_check.h"

namespace latent {
inline namespace LATENT_BACKEND {

namespace {
__global__ void probe() {}
}  // namespace

bool covers_current_gpu() {
  cudaFuncAttributes attributes;
  const cudaError_t error = cudaFuncGetAttributes(&attributes, probe);
  if (error == cudaErrorNoKernelImageForDevice || error == cudaErrorInvalidDeviceFunction) {
    cudaGetLastError();  // it would come back from a later call
    return false;
  }
  cuda::check(error, "cudaFuncGetAttributes(probe)");
  return true;
}

std::string compiled_architectures() {
  std::string text;
  for (const int arch : {__CUDA_ARCH_LIST__})
    text += cat(text.empty() ? "sm_" : ", sm_", arch / 10);
  return text;
}

}  // namespace LATENT_BACKEND
}  // namespace latent

#endif
