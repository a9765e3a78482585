// The instruction set that loops of the CPU are run with, found once.
#pragma once

/// Whether loops are compiled for AVX-512 too. The simt build checks them and is slow anyway: each of its loops is
/// compiled once.
#if defined(__x86_64__) && !defined(LATENT_GPU_SIMT)
#define LATENT_CPU_AVX512
#endif

namespace latent {

enum class CpuIsa { baseline, avx512 };

/// What the machine has, held down by the environment's LATENT_CPU_ISA (baseline, avx512).
CpuIsa cpu_isa();
/// For tests: takes the lesser of `isa` and what the machine has. Returns the former one.
CpuIsa set_cpu_isa(CpuIsa isa);

/// For people: "AVX-512", "AVX2" or "baseline".
const char* cpu_isa_name();

}  // namespace latent
