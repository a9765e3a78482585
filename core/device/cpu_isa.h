// The instruction set that loops of the CPU are run with, found once.
#pragma once

namespace latent {

enum class CpuIsa { baseline, avx512 };

/// What the machine has, held down by the environment's LATENT_CPU_ISA (baseline, avx512).
CpuIsa cpu_isa();
/// For tests: takes the lesser of `isa` and what the machine has. Returns the former one.
CpuIsa set_cpu_isa(CpuIsa isa);

/// For people: "AVX-512", "AVX2" or "baseline".
const char* cpu_isa_name();

}  // namespace latent
