// reduce_rows: one result a row, with whatever the mapped functor writes on the way.
#pragma once

#include "kernels/skeleton/body.h"
#include "kernels/skeleton/fold.h"

namespace latent {
inline namespace LATENT_BACKEND {

namespace skeleton {

/// Up to this many columns a warp reduces a row, beyond it a block of eight warps.
inline constexpr int64_t kWarpRow = 1024;
inline constexpr int kRowWarps = 8;

/// f at a fixed row, a function of the column.
template <class F>
struct AtRow {
  F f;
  int64_t r;
  LATENT_HD auto operator()(int64_t c) const { return f(r, c); }
};

template <class M, class A, class F, class Finish>
struct CpuReduceRows {
  int64_t rows, cols, rows_a_task;
  F f;
  Finish finish;

  LATENT_CPU_BODY void operator()(int64_t task) const {
    const int64_t begin = task * rows_a_task, end = std::min(rows, begin + rows_a_task);
    for (int64_t r = begin; r < end; ++r) {
      const AtRow<F> at{f, r};
      finish(r, cols <= kWarpRow ? fold::cpu_block<M, 1, A>(cols, at)
                                 : fold::cpu_block<M, kRowWarps, A>(cols, at));
    }
  }
};

/// A warp a row.
template <class M, class A, class F, class Finish>
struct GpuReduceShortRows {
  static constexpr int max_threads = 256;
  int64_t rows, cols;
  F f;
  Finish finish;

  LATENT_KERNEL void operator()(Thread& t) const {
    const int64_t r = t.block() * t.warps() + t.warp();
    if (r >= rows) return;
    const A a = fold::gpu_warp<M, A>(t, 0, cols, AtRow<F>{f, r});
    if (t.lane() == 0) finish(r, a);
  }
};

/// Up to this many short rows a block shares the work of each, so that they keep a GPU busy.
inline constexpr int64_t kFewRows = 2048;

/// A block a row: all of its warps make the values, then one adds them up as it would alone.
template <class M, class A, class F, class Finish>
struct GpuReduceFewRows {
  static constexpr int max_threads = 32 * kRowWarps;
  int64_t cols;
  F f;
  Finish finish;

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(A, values, kWarpRow);
    const int64_t r = t.block();
    for (int64_t c = t.thread(); c < cols; c += t.threads()) values[c] = f(r, c);
    t.sync();
    if (t.warp() > 0) return;
    const A a = fold::gpu_warp<M, A>(t, 0, cols, Value{values});
    if (t.lane() == 0) finish(r, a);
  }

 private:
  struct Value {
    const A* values;
    LATENT_KERNEL A operator()(int64_t c) const { return values[c]; }
  };
};

/// A block a row.
template <class M, class A, class F, class Finish>
struct GpuReduceLongRows {
  static constexpr int max_threads = 32 * kRowWarps;
  int64_t cols;
  F f;
  Finish finish;

  LATENT_KERNEL void operator()(Thread& t) const {
    const A a = fold::gpu_block<M, kRowWarps, A>(t, cols, AtRow<F>{f, t.block()});
    if (t.thread() == 0) finish(t.block(), a);
  }
};

}  // namespace skeleton

/// finish(r, acc) with acc = the monoid's sum over c of f(r, c), for r in [0, rows). f is called
/// once an element and may write outputs of its own (a loss and its gradient in one pass). One
/// launch.
template <class M, class F, class Finish>
void reduce_rows(Stream& stream, int64_t rows, int64_t cols, M, const F& f, const Finish& finish) {
  using A = decltype(f(int64_t{}, int64_t{}));
  if (rows == 0) return;
  if (!stream.gpu) {
    const int64_t rows_a_task = std::max<int64_t>(1, 2048 / std::max<int64_t>(cols, 1));
    cpu::run_tasks(fold::ceil_div(rows, rows_a_task), rows * cols,
                   skeleton::CpuReduceRows<M, A, F, Finish>{rows, cols, rows_a_task, f, finish});
  } else if constexpr (cpu_only_v<F, Finish>) {
    no_gpu_body(stream);
  } else if (cols <= skeleton::kWarpRow && cols > 4 * fold::kLanes && rows <= skeleton::kFewRows) {
    launch(stream, {.blocks = rows, .threads = 32 * skeleton::kRowWarps},
           skeleton::GpuReduceFewRows<M, A, F, Finish>{cols, f, finish});
  } else if (cols <= skeleton::kWarpRow) {
    launch(stream, {.blocks = fold::ceil_div(rows, 8), .threads = 256},
           skeleton::GpuReduceShortRows<M, A, F, Finish>{rows, cols, f, finish});
  } else {
    launch(stream, {.blocks = rows, .threads = 32 * skeleton::kRowWarps},
           skeleton::GpuReduceLongRows<M, A, F, Finish>{cols, f, finish});
  }
}

}  // namespace LATENT_BACKEND
}  // namespace latent
