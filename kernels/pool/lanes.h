// for_each_lanes: a functor at every row of a map's positions, some channels at a time, so that a CPU's loops run over
// neighbouring channels and a GPU has a thread for each. For .cu files only.
#pragma once

#include "core/base/error.h"
#include "kernels/skeleton/for_each.h"

namespace latent {
inline namespace LATENT_BACKEND {

template <class F>
struct CpuLanes {
  static constexpr int kLanes = 64;
  int64_t rows, channels, rows_a_task;
  F f;

  LATENT_CPU_BODY void operator()(int64_t task) const {
    const int64_t begin = task * rows_a_task, end = std::min(rows, begin + rows_a_task);
    for (int64_t r = begin; r < end; ++r)
      for (int64_t c = 0; c < channels; c += kLanes)
        f.template run<kLanes>(r, c, static_cast<int>(std::min<int64_t>(kLanes, channels - c)));
  }
};

template <class F>
struct GpuLane {
  F f;
  LATENT_HD void operator()(int64_t r, int64_t c) const { f.template run<1>(r, c, 1); }
};

/// f.run<kLanes>(row, channel, n) for n <= kLanes neighbouring channels, of `rows` < 2^31 rows. `reads`: elements that
/// one made element takes.
template <bool CpuOnly, class F>
void for_each_lanes(Stream& stream, int64_t rows, int64_t channels, int64_t reads, const F& f) {
  if (rows * channels == 0) return;
  if (rows >= int64_t{1} << 31) throw std::logic_error("a map of 2^31 positions or more");
  if (stream.gpu) {
    if constexpr (CpuOnly)
      no_gpu_body(stream);
    else
      for_each_row(stream, rows, channels, GpuLane<F>{f});
    return;
  }
  const int64_t rows_a_task = std::max<int64_t>(1, 4096 / std::max<int64_t>(1, channels * reads));
  cpu::run_tasks(fold::ceil_div(rows, rows_a_task), rows * channels * reads,
                 CpuLanes<F>{rows, channels, rows_a_task, f});
}

}  // namespace LATENT_BACKEND
}  // namespace latent
