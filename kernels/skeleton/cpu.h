// How the CPU bodies of the skeletons run: tasks are cut by problem size and spread over OpenMP's
// threads, and the code of a task exists for the baseline and, but in f64, for AVX-512, chosen at
// run time.
#pragma once

#include <cstdint>

#include "core/base/hd.h"
#include "core/device/cpu_isa.h"
#include "kernels/skeleton/cpu_only.h"

/// Marks the code of a task: inlined into the function that carries the instruction set.
#define LATENT_CPU_BODY inline __attribute__((always_inline))

namespace latent::cpu {

/// Less work (elements) than this is not worth waking threads.
inline constexpr int64_t kParallelWork = 1 << 14;

template <class Body>
__attribute__((noinline)) void run_baseline(const Body& shared, int64_t task) {
  const Body body = shared;  // a copy that no store of the body can alias
  body(task);
}

#if defined(LATENT_CPU_AVX512)
template <class Body>
__attribute__((noinline, target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi,bmi2,"
                                "prefer-vector-width=512"))) void
run_avx512(const Body& shared, int64_t task) {
  const Body body = shared;
  body(task);
}
#endif

/// Calls body(task) for the tasks [0, tasks), which hold `work` elements in all.
template <class Body>
void run_tasks(int64_t tasks, int64_t work, const Body& body) {
  auto* run = run_baseline<Body>;
#if defined(LATENT_CPU_AVX512)
  if constexpr (!cpu_only_v<Body>)
    if (cpu_isa() == CpuIsa::avx512) run = run_avx512<Body>;
#endif
  if (tasks == 1 || work < kParallelWork) {
    for (int64_t i = 0; i < tasks; ++i) run(body, i);
    return;
  }
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < tasks; ++i) run(body, i);
}

}  // namespace latent::cpu
