// CUDA GPUs as devices.
#pragma once

#include "core/device/backend.h"

#if defined(LATENT_GPU_CUDA)

#include <memory>

#include "core/device/device.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// GPUs that the driver shows; 0 without a driver.
int cuda_count();

/// Throws UserError when there is no such GPU or this binary has no code for it.
std::shared_ptr<Device> open_cuda(int index);

}  // namespace LATENT_BACKEND
}  // namespace latent

#endif
