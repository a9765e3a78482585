// LATENT_HD marks a function for host and device, whichever compiler reads it; HD functions use no
// std:: maths.
#pragma once

#if defined(__CUDACC__)
#define LATENT_HD __host__ __device__ __forceinline__
#else
#define LATENT_HD inline __attribute__((always_inline))
#endif
