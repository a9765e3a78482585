// for_each, for_each_row: a functor at every element of an array or a matrix.
#pragma once

#include "kernels/skeleton/body.h"
#include "kernels/skeleton/fold.h"

namespace latent {
inline namespace LATENT_BACKEND {

namespace skeleton {

inline constexpr int64_t kForEachTask = 4096;

template <class F>
struct CpuForEach {
  int64_t n;
  F f;

  LATENT_CPU_BODY void operator()(int64_t task) const {
    const int64_t begin = task * kForEachTask, end = std::min(n, begin + kForEachTask);
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) f(i);
  }
};

template <class F>
struct GpuForEach {
  static constexpr int max_threads = 256;
  int64_t n;
  F f;

  LATENT_KERNEL void operator()(Thread& t) const {
    const int64_t i = t.block() * max_threads + t.thread();
    if (i < n) f(i);
  }
};

template <class F>
struct CpuForEachRow {
  int64_t cols, rows, rows_a_task;
  F f;

  LATENT_CPU_BODY void operator()(int64_t task) const {
    const int64_t begin = task * rows_a_task, end = std::min(rows, begin + rows_a_task);
    for (int64_t r = begin; r < end; ++r) {
#pragma omp simd
      for (int64_t c = 0; c < cols; ++c) f(r, c);
    }
  }
};

/// A block is 256 / width rows of `width` columns, width a power of two.
template <class F>
struct GpuForEachRow {
  static constexpr int max_threads = 256;
  int64_t rows, cols;
  int log_width;
  F f;

  LATENT_KERNEL void operator()(Thread& t) const {
    const int width = 1 << log_width;
    const int64_t r = t.block() * (max_threads >> log_width) + (t.thread() >> log_width);
    if (r >= rows) return;
    const int64_t first = t.block_y() * width + (t.thread() & (width - 1));
    for (int64_t c = first; c < cols; c += t.blocks_y() * width) f(r, c);
  }
};

/// The widest power of two up to 256 that leaves at most an eighth of the threads idle, or the
/// narrowest try.
inline int row_log_width(int64_t cols) {
  for (int log = 8; log > 5; --log) {
    const int64_t covered = fold::ceil_div(cols, int64_t{1} << log) << log;
    if (covered - cols <= covered / 8) return log;
  }
  int log = 0;
  while (log < 5 && (int64_t{1} << log) < cols) ++log;
  return log;
}

}  // namespace skeleton

/// f(i) for i in [0, n). f writes its own outputs, and reads nothing that another i writes.
template <class F>
void for_each(Stream& stream, int64_t n, const F& f) {
  if (n == 0) return;
  if (!stream.gpu) {
    cpu::run_tasks(fold::ceil_div(n, skeleton::kForEachTask), n, skeleton::CpuForEach<F>{n, f});
  } else if constexpr (cpu_only_v<F>) {
    no_gpu_body(stream);
  } else {
    launch(stream, {.blocks = fold::ceil_div(n, 256)}, skeleton::GpuForEach<F>{n, f});
  }
}

/// f(r, c) for every element of a matrix [rows, cols]: spares f the division of an index.
template <class F>
void for_each_row(Stream& stream, int64_t rows, int64_t cols, const F& f) {
  if (rows == 0 || cols == 0) return;
  if (!stream.gpu) {
    const int64_t rows_a_task = std::max<int64_t>(1, skeleton::kForEachTask / cols);
    cpu::run_tasks(fold::ceil_div(rows, rows_a_task), rows * cols,
                   skeleton::CpuForEachRow<F>{cols, rows, rows_a_task, f});
  } else if constexpr (cpu_only_v<F>) {
    no_gpu_body(stream);
  } else {
    const int log_width = skeleton::row_log_width(cols);
    const Grid grid{.blocks = fold::ceil_div(rows, 256 >> log_width),
                    .blocks_y = std::min<int64_t>(fold::ceil_div(cols, 1 << log_width), 65535)};
    launch(stream, grid, skeleton::GpuForEachRow<F>{rows, cols, log_width, f});
  }
}

}  // namespace LATENT_BACKEND
}  // namespace latent
