// reduce_cols: one result a column.
#pragma once

#include "kernels/skeleton/body.h"
#include "kernels/skeleton/fold.h"
#include "kernels/skeleton/reduce_all.h"
#include "kernels/skeleton/reduce_rows.h"

namespace latent {
inline namespace LATENT_BACKEND {

namespace skeleton {

/// A block takes 32 columns of a slab of rows; each of its warps runs down a contiguous piece of
/// the slab.
inline constexpr int kColumnWarps = 16;
/// Rows that one slab holds alone; beyond, at most 128 slabs share them and a second launch adds
/// them up.
inline constexpr int64_t kSlabRows = 1024;

inline int64_t column_slabs(int64_t rows) {
  return rows <= kSlabRows ? 1 : std::min<int64_t>(128, fold::ceil_div(rows, kSlabRows));
}

template <class M, class A, class F, class Sink>
struct CpuReduceCols {
  static constexpr int kTile = 64;
  int64_t rows, cols, slab_rows, tiles;
  F f;
  Sink sink;

  LATENT_CPU_BODY void operator()(int64_t task) const {
    const int64_t slab = task / tiles, c0 = task % tiles * kTile;
    const int width = static_cast<int>(std::min<int64_t>(kTile, cols - c0));
    const int64_t top = slab * slab_rows, bottom = std::min(rows, top + slab_rows);
    const int64_t piece = fold::ceil_div(slab_rows, kColumnWarps);
    A total[kTile];
    for (int w = 0; w < kColumnWarps; ++w) {
      A a[kTile];
      for (int j = 0; j < kTile; ++j) a[j] = M::template identity<A>();
      const int64_t end = std::min(bottom, top + (w + 1) * piece);
      for (int64_t r = std::min(bottom, top + w * piece); r < end; ++r) {
#pragma omp simd
        for (int j = 0; j < width; ++j) a[j] = M::combine(a[j], f(r, c0 + j));
      }
      for (int j = 0; j < kTile; ++j) total[j] = w == 0 ? a[j] : M::combine(total[j], a[j]);
    }
    for (int j = 0; j < width; ++j) sink(slab * cols + c0 + j, total[j]);
  }
};

template <class M, class A, class F, class Sink>
struct GpuReduceCols {
  static constexpr int max_threads = 32 * kColumnWarps;
  int64_t rows, cols, slab_rows;
  F f;
  Sink sink;

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(A, partial, 32 * kColumnWarps);
    const int64_t c = t.block() * 32 + t.lane(), slab = t.block_y();
    const int64_t top = slab * slab_rows, piece = (slab_rows + kColumnWarps - 1) / kColumnWarps;
    const int64_t bottom = rows < top + slab_rows ? rows : top + slab_rows;
    const int64_t begin = top + t.warp() * piece;
    const int64_t end = bottom < begin + piece ? bottom : begin + piece;
    A a = M::template identity<A>();
    if (c < cols)
      for (int64_t r = begin; r < end; ++r) a = M::combine(a, f(r, c));
    partial[t.thread()] = a;
    t.sync();
    if (t.warp() != 0 || c >= cols) return;
    for (int w = 1; w < kColumnWarps; ++w) a = M::combine(a, partial[w * 32 + t.lane()]);
    sink(slab * cols + c, a);
  }
};

/// What the second launch reduces: the slabs of a column.
template <bool CpuOnly, class A>
struct SlabOf {
  static constexpr bool cpu_only = CpuOnly;
  const A* partial;
  int64_t cols;
  LATENT_HD A operator()(int64_t c, int64_t slab) const { return partial[slab * cols + c]; }
};

/// sink(slab * cols + c, acc over the slab's rows).
template <bool CpuOnly, class M, class A, class F, class Sink>
void reduce_slabs(Stream& stream, int64_t rows, int64_t cols, int64_t slabs, const F& f,
                  const Sink& sink) {
  const int64_t slab_rows = fold::ceil_div(rows, slabs);
  if (!stream.gpu) {
    using Body = CpuReduceCols<M, A, F, Sink>;
    const int64_t tiles = fold::ceil_div(cols, Body::kTile);
    cpu::run_tasks(slabs * tiles, rows * cols, Body{rows, cols, slab_rows, tiles, f, sink});
  } else if constexpr (CpuOnly) {
    no_gpu_body(stream);
  } else {
    launch(stream,
           {.blocks = fold::ceil_div(cols, 32), .threads = 32 * kColumnWarps, .blocks_y = slabs},
           GpuReduceCols<M, A, F, Sink>{rows, cols, slab_rows, f, sink});
  }
}

}  // namespace skeleton

/// The elements of x [rows, cols], for reductions of what is stored.
template <class T>
struct MatrixOf {
  const T* x;
  int64_t cols;
  LATENT_HD T operator()(int64_t r, int64_t c) const { return x[r * cols + c]; }
  LATENT_HD T operator()(int64_t i) const { return x[i]; }
};

/// Launches of reduce_cols on a GPU: 1 up to 1024 rows, 2 beyond.
inline int reduce_cols_launches(int64_t rows) { return skeleton::column_slabs(rows) == 1 ? 1 : 2; }

/// Bytes of workspace that reduce_cols needs on every device, where f returns Acc.
template <class Acc>
size_t reduce_cols_workspace(int64_t rows, int64_t cols) {
  const int64_t slabs = skeleton::column_slabs(rows);
  return slabs == 1 ? 0 : static_cast<size_t>(slabs * cols) * sizeof(Acc);
}

/// finish(c, acc) with acc = the monoid's sum over r of f(r, c), for c in [0, cols). f may write
/// outputs of its own.
template <class M, class F, class Finish>
void reduce_cols(Stream& stream, int64_t rows, int64_t cols, M, const F& f, const Finish& finish,
                 void* workspace) {
  using A = decltype(f(int64_t{}, int64_t{}));
  constexpr bool kCpuOnly = cpu_only_v<F, Finish>;
  if (cols == 0) return;
  const int64_t slabs = skeleton::column_slabs(rows);
  if (slabs == 1) {
    skeleton::reduce_slabs<kCpuOnly, M, A>(stream, rows, cols, 1, f, finish);
    return;
  }
  A* partial = static_cast<A*>(workspace);
  skeleton::reduce_slabs<kCpuOnly, M, A>(stream, rows, cols, slabs, f, skeleton::Store<A>{partial});
  reduce_rows(stream, cols, slabs, M{}, skeleton::SlabOf<kCpuOnly, A>{partial, cols}, finish);
}

/// The most matrices that reduce_cols_of_each takes.
inline constexpr int64_t kMostMatrices = 65535;

/// The columns of `count` matrices [rows, cols], one below the other: finish(m * cols + c, acc) with acc = the monoid's
/// sum over r of f(m * rows + r, c). One launch.
template <class M, class F, class Finish>
void reduce_cols_of_each(Stream& stream, int64_t count, int64_t rows, int64_t cols, M, const F& f,
                         const Finish& finish) {
  using A = decltype(f(int64_t{}, int64_t{}));
  if (count == 0 || cols == 0) return;
  skeleton::reduce_slabs<cpu_only_v<F, Finish>, M, A>(stream, count * rows, cols, count, f, finish);
}

}  // namespace LATENT_BACKEND
}  // namespace latent
