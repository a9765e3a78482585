// launch(): runs a kernel, a functor of plain data with `LATENT_KERNEL void operator()(Thread& t)
// const`, on the GPU backend of this build. For .cu files only.
#pragma once

#include <typeinfo>

#include "core/base/error.h"
#include "core/base/hd.h"
#include "core/device/backend.h"
#include "core/device/device.h"
#include "core/device/grid.h"

#if defined(LATENT_GPU_CUDA)
#if !defined(__CUDACC__)
#error "skeletons and kernels belong into .cu files"
#endif
#include "kernels/skeleton/launch_cuda.h"
#else
#include "core/device/simt.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// Queues the kernel on the stream and counts it. Throws std::logic_error on a grid that no GPU
/// takes.
template <class K>
void launch(Stream& stream, const Grid& grid, const K& kernel) {
#if defined(LATENT_GPU_SIMT)
  simt::run(stream, grid, typeid(K).name(), &kernel,
            [](const void* k, Thread& t) { (*static_cast<const K*>(k))(t); });
#else
  static_cast<void>(grid), static_cast<void>(kernel);
  throw std::logic_error(cat("launch: no GPU backend in this build, stream of ",
                             stream.device ? stream.device->name() : "nothing"));
#endif
}

}  // namespace LATENT_BACKEND
}  // namespace latent
#endif
