// Whether this binary has code for a GPU.
#pragma once

#include <string>

#include "core/device/backend.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// Whether a kernel of this binary can run on the current GPU.
bool covers_current_gpu();
/// "sm_75, sm_90": what nvcc compiled for.
std::string compiled_architectures();

}  // namespace LATENT_BACKEND
}  // namespace latent
