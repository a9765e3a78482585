// LATENT_UNROLL in front of a loop of a kernel. Arrays that its counter indexes stay in registers only where the loop is
// unrolled whole.
#pragma once

#if defined(__CUDACC__)
#define LATENT_UNROLL _Pragma("unroll")
#else
#define LATENT_UNROLL _Pragma("GCC unroll 64")
#endif
