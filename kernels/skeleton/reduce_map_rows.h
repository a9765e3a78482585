// reduce_map_rows: a reduction of each row, and then a functor at its elements that knows the result.
#pragma once

#include "kernels/skeleton/reduce_rows.h"

namespace latent {
inline namespace LATENT_BACKEND {

namespace skeleton {

template <class M, class A, class F, class Finish, class Map>
struct CpuReduceMapRows {
  int64_t rows, cols, rows_a_task;
  F f;
  Finish finish;
  Map map;

  LATENT_CPU_BODY void operator()(int64_t task) const {
    const int64_t begin = task * rows_a_task, end = std::min(rows, begin + rows_a_task);
    for (int64_t r = begin; r < end; ++r) {
      const AtRow<F> at{f, r};
      const A a = cols <= kWarpRow ? fold::cpu_block<M, 1, A>(cols, at)
                                   : fold::cpu_block<M, kRowWarps, A>(cols, at);
      finish(r, a);
#pragma omp simd
      for (int64_t c = 0; c < cols; ++c) map(r, c, a);
    }
  }
};

/// A warp a row.
template <class M, class A, class F, class Finish, class Map>
struct GpuReduceMapShortRows {
  static constexpr int max_threads = 256;
  int64_t rows, cols;
  F f;
  Finish finish;
  Map map;

  LATENT_KERNEL void operator()(Thread& t) const {
    const int64_t r = t.block() * t.warps() + t.warp();
    if (r >= rows) return;
    const A a = fold::gpu_warp<M, A>(t, 0, cols, AtRow<F>{f, r});
    if (t.lane() == 0) finish(r, a);
    for (int64_t c = t.lane(); c < cols; c += fold::kLanes) map(r, c, a);
  }
};

/// A block a row.
template <class M, class A, class F, class Finish, class Map>
struct GpuReduceMapLongRows {
  static constexpr int max_threads = 32 * kRowWarps;
  int64_t cols;
  F f;
  Finish finish;
  Map map;

  LATENT_KERNEL void operator()(Thread& t) const {
    const int64_t r = t.block();
    const A a = fold::gpu_block<M, kRowWarps, A>(t, cols, AtRow<F>{f, r});
    if (t.thread() == 0) finish(r, a);
    for (int64_t c = t.thread(); c < cols; c += max_threads) map(r, c, a);
  }
};

}  // namespace skeleton

/// finish(r, acc) as reduce_rows does, then map(r, c, acc) for every element of the row, which may
/// overwrite what f read. The row is read twice, the second time from a cache. One launch.
template <class M, class F, class Finish, class Map>
void reduce_map_rows(Stream& stream, int64_t rows, int64_t cols, M, const F& f,
                     const Finish& finish, const Map& map) {
  using A = decltype(f(int64_t{}, int64_t{}));
  if (rows == 0) return;
  if (!stream.gpu) {
    const int64_t rows_a_task = std::max<int64_t>(1, 2048 / std::max<int64_t>(cols, 1));
    cpu::run_tasks(
        fold::ceil_div(rows, rows_a_task), rows * cols,
        skeleton::CpuReduceMapRows<M, A, F, Finish, Map>{rows, cols, rows_a_task, f, finish, map});
  } else if constexpr (cpu_only_v<F, Finish, Map>) {
    no_gpu_body(stream);
  } else if (cols <= skeleton::kWarpRow) {
    launch(stream, {.blocks = fold::ceil_div(rows, 8), .threads = 256},
           skeleton::GpuReduceMapShortRows<M, A, F, Finish, Map>{rows, cols, f, finish, map});
  } else {
    launch(stream, {.blocks = rows, .threads = 32 * skeleton::kRowWarps},
           skeleton::GpuReduceMapLongRows<M, A, F, Finish, Map>{cols, f, finish, map});
  }
}

}  // namespace LATENT_BACKEND
}  // namespace latent
