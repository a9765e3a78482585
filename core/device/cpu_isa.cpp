#include "core/device/cpu_isa.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>

#include "core/base/error.h"

namespace latent {

namespace {

CpuIsa best_isa() {
#if defined(LATENT_CPU_AVX512)
  // The set that kernels/skeleton/cpu.h compiles for.
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return CpuIsa::avx512;
  }
#endif
  return CpuIsa::baseline;
}

CpuIsa first_isa() {
  const char* wish = std::getenv("LATENT_CPU_ISA");
  if (wish == nullptr || std::string(wish) == "avx512") return best_isa();
  if (std::string(wish) == "baseline") return CpuIsa::baseline;
  throw UserError(cat("LATENT_CPU_ISA='", wish, "': is neither baseline nor avx512"));
}

std::atomic<CpuIsa>& current() {
  static std::atomic<CpuIsa> isa = first_isa();
  return isa;
}

}  // namespace

CpuIsa cpu_isa() { return current().load(std::memory_order_relaxed); }

CpuIsa set_cpu_isa(CpuIsa isa) { return current().exchange(std::min(isa, best_isa())); }

const char* cpu_isa_name() {
  if (cpu_isa() == CpuIsa::avx512) return "AVX-512";
#if defined(__AVX2__)
  return "AVX2";
#else
  return "baseline";
#endif
}

}  // namespace latent
