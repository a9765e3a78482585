// The GPU backend of this build: exactly one of LATENT_GPU_CUDA, LATENT_GPU_SIMT, LATENT_GPU_NONE
// is defined. What depends on it lies in `namespace latent { inline namespace LATENT_BACKEND {`, so
// that objects built for different backends do not link.
#pragma once

#if defined(LATENT_GPU_CUDA) + defined(LATENT_GPU_SIMT) + defined(LATENT_GPU_NONE) != 1
#error "define exactly one of LATENT_GPU_CUDA, LATENT_GPU_SIMT, LATENT_GPU_NONE"
#endif

#if defined(LATENT_GPU_CUDA)
#define LATENT_BACKEND on_cuda
#elif defined(LATENT_GPU_SIMT)
#define LATENT_BACKEND on_simt
#else
#define LATENT_BACKEND on_none
#endif

/// Marks a function that runs on the GPU only: the body of a kernel and its helpers.
#if defined(__CUDACC__)
#define LATENT_KERNEL __device__ __forceinline__
#else
#define LATENT_KERNEL inline
#endif
