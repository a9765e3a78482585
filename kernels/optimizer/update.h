// What every optimizer's kernel is made of: one pass over flat buffers, in which what depends on
// the step alone (learning rate, bias corrections, clipping, the latch) is computed once a block.
#pragma once

#include "core/math/math.h"
#include "core/train/schedule.h"
#include "kernels/optimizer/update_types.h"
#include "kernels/real.h"
#include "kernels/skeleton/skeleton.h"

namespace latent {

inline namespace LATENT_BACKEND {

namespace update {

inline constexpr int64_t kUpdateTask = 4096;

template <class Rule>
struct CpuUpdate {
  int64_t n;
  Rule rule;

  LATENT_CPU_BODY void operator()(int64_t task) const {
    const int64_t begin = task * kUpdateTask, end = std::min(n, begin + kUpdateTask);
    const auto step = rule.begin();
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) rule(i, step);
  }
};

template <class Rule>
struct GpuUpdate {
  static constexpr int max_threads = 256;
  /// Blocks go on through the array: enough to fill an H200, whatever the size, so that each pays
  /// for its first step once.
  static constexpr int64_t max_blocks = 8 * 132;
  int64_t n;
  Rule rule;

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(typename Rule::Step, shared, 1);
    if (t.thread() == 0) shared[0] = rule.begin();
    t.sync();
    const typename Rule::Step step = shared[0];
    for (int64_t i = t.block() * max_threads + t.thread(); i < n; i += t.blocks() * max_threads)
      rule(i, step);
  }
};

}  // namespace update

/// rule(i, rule.begin()) for i in [0, n). rule(i, ...) writes its own outputs only. One launch.
template <class Rule>
void update_each(Stream& stream, int64_t n, const Rule& rule) {
  if (n == 0) return;
  if (!stream.gpu) {
    cpu::run_tasks(fold::ceil_div(n, update::kUpdateTask), n, update::CpuUpdate<Rule>{n, rule});
  } else if constexpr (cpu_only_v<Rule>) {
    no_gpu_body(stream);
  } else {
    using Gpu = update::GpuUpdate<Rule>;
    const int64_t blocks = fold::ceil_div(n, Gpu::max_threads);
    launch(stream, {.blocks = std::min(blocks, Gpu::max_blocks)}, Gpu{n, rule});
  }
}

/// The moments of a dead unit decay into the denormals, with which CPUs are slow: 0 instead.
template <class T>
LATENT_HD T without_denormals(T x) {
  return math::select(math::abs(x) < T(0x1p-126), T(0), x);
}

/// The rule of an optimizer with N states, T their type. Its Formula has
///   struct Step                                   what depends on the step alone
///   Step begin(T lr, T t)                         lr after the schedule; t >= 1 counts this step
///   T operator()(T p, T g, T (&state)[N], Step)   the new p; replaces the states
/// Where the latch is not 0 the outputs are the old values.
template <class T, int N, class Formula>
struct OptimizerRule {
  static constexpr bool cpu_only = std::is_same_v<T, double>;

  const uint64_t *latch, *step;
  const T *p, *g, *clip;  // clip may be missing
  const T* state[N + 1];
  T* new_p;
  T* new_state[N + 1];
  T lr;
  Schedule schedule;
  Formula formula;

  struct Step {
    typename Formula::Step formula;
    T clip;
    bool live;
  };

  LATENT_HD Step begin() const {
    const int64_t t = static_cast<int64_t>(*step);
    const T now = lr * static_cast<T>(schedule.factor(t - 1));
    return {formula.begin(now, static_cast<T>(t)), clip ? *clip : T(1), *latch == 0};
  }

  LATENT_HD void operator()(int64_t i, const Step& s) const {
    T old[N + 1], now[N + 1];
    for (int k = 0; k < N; ++k) old[k] = now[k] = state[k][i];
    const T before = p[i];
    const T after = formula(before, g[i] * s.clip, now, s.formula);
    new_p[i] = math::select(s.live, after, before);
    for (int k = 0; k < N; ++k)
      new_state[k][i] = math::select(s.live, without_denormals(now[k]), old[k]);
  }
};

/// The kernel of an optimizer with N states. `make(real)` gives its Formula for float or double.
template <int N, class MakeFormula>
Kernel optimizer_kernel(const Signature& s, double lr, const Schedule& schedule, MakeFormula make) {
  const int64_t n = s.in[2].elements();
  const bool clipped = s.in.size() > 4 + N;
  return real_kernel(s.in[2].dtype, [=](const Args& a, auto real) {
    using T = decltype(real);
    using Formula = decltype(make(real));
    OptimizerRule<T, N, Formula> rule{.latch = a.input<uint64_t>(0),
                                      .step = a.input<uint64_t>(1),
                                      .p = a.input<T>(2),
                                      .g = a.input<T>(3),
                                      .clip = clipped ? a.input<T>(4 + N) : nullptr,
                                      .state = {},
                                      .new_p = a.output<T>(0),
                                      .new_state = {},
                                      .lr = static_cast<T>(lr),
                                      .schedule = schedule,
                                      .formula = make(real)};
    for (int k = 0; k < N; ++k) {
      rule.state[k] = a.input<T>(4 + k);
      rule.new_state[k] = a.output<T>(1 + k);
    }
    update_each(a.stream, n, rule);
  });
}

}  // namespace LATENT_BACKEND
}  // namespace latent
