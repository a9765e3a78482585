// What the skeletons' bodies on the CPU and on the GPU have in common.
#pragma once

#include <cstdint>
#include <stdexcept>

#include "kernels/skeleton/cpu.h"
#include "kernels/skeleton/cpu_only.h"
#include "kernels/skeleton/launch.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// Throws: `stream` is a GPU's, and the functor is for the CPU only.
[[noreturn]] inline void no_gpu_body(const Stream& stream) {
  throw std::logic_error(
      cat(stream.device ? stream.device->name() : "gpu", ": f64 is computed on the CPU only"));
}

}  // namespace LATENT_BACKEND
}  // namespace latent
