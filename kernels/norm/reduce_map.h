// Reductions whose results every element of their row or column needs: normalisation and its
// gradient. One functor says all of it:
//
//   struct Body {
//     A term(r, c)              what element (r, c) adds, a Sums<T, N>
//     V finish(i, A)            the numbers of row or column i; pure
//     void keep(i, V)           may store them; called once
//     void map(r, c, V)         writes the outputs of element (r, c)
//   };
//
//   reduce_map_rows(s, rows, cols, body)        one launch
//   reduce_map_cols(s, rows, cols, body, ws)    one launch up to 1024 rows, two beyond
//
// Orders of summation are those of reduce_rows and reduce_cols, but that slabs of columns are added
// one after the other: the same bits on CPU and GPU for any number of threads. For .cu files only.
#pragma once

#include "kernels/skeleton/skeleton.h"

namespace latent {

/// N sums made at once.
template <class T, int N>
struct Sums {
  T v[N];
};

struct SumEach {
  template <class A>
  static LATENT_HD A identity() {
    A a;
    for (auto& v : a.v) v = 0;
    return a;
  }
  template <class T, int N>
  static LATENT_HD Sums<T, N> combine(Sums<T, N> a, const Sums<T, N>& b) {
    for (int i = 0; i < N; ++i) a.v[i] += b.v[i];
    return a;
  }
};

inline namespace LATENT_BACKEND {

namespace skeleton {

template <class Body>
using SumsOf = decltype(std::declval<const Body&>().term(int64_t{}, int64_t{}));
template <class Body>
using NumbersOf =
    decltype(std::declval<const Body&>().finish(int64_t{}, std::declval<SumsOf<Body>>()));

template <class Body>
struct TermOf {
  Body body;
  LATENT_HD auto operator()(int64_t r, int64_t c) const { return body.term(r, c); }
};

template <class Body>
struct CpuReduceMapRows {
  int64_t rows, cols, rows_a_task;
  Body body;

  LATENT_CPU_BODY void operator()(int64_t task) const {
    using A = SumsOf<Body>;
    const int64_t begin = task * rows_a_task, end = std::min(rows, begin + rows_a_task);
    for (int64_t r = begin; r < end; ++r) {
      const AtRow<TermOf<Body>> at{{body}, r};
      const A a = cols <= kWarpRow ? fold::cpu_block<SumEach, 1, A>(cols, at)
                                   : fold::cpu_block<SumEach, kRowWarps, A>(cols, at);
      const auto v = body.finish(r, a);
      body.keep(r, v);
#pragma omp simd
      for (int64_t c = 0; c < cols; ++c) body.map(r, c, v);
    }
  }
};

/// A warp a row.
template <class Body>
struct GpuReduceMapShortRows {
  static constexpr int max_threads = 256;
  int64_t rows, cols;
  Body body;

  LATENT_KERNEL void operator()(Thread& t) const {
    using A = SumsOf<Body>;
    const int64_t r = t.block() * t.warps() + t.warp();
    if (r >= rows) return;
    const A a = fold::gpu_warp<SumEach, A>(t, 0, cols, AtRow<TermOf<Body>>{{body}, r});
    const auto v = body.finish(r, a);
    if (t.lane() == 0) body.keep(r, v);
    for (int64_t c = t.lane(); c < cols; c += 32) body.map(r, c, v);
  }
};

/// A block a row.
template <class Body>
struct GpuReduceMapLongRows {
  static constexpr int max_threads = 32 * kRowWarps;
  int64_t cols;
  Body body;

  LATENT_KERNEL void operator()(Thread& t) const {
    using A = SumsOf<Body>;
    const int64_t r = t.block();
    const A a = fold::gpu_block<SumEach, kRowWarps, A>(t, cols, AtRow<TermOf<Body>>{{body}, r});
    const auto v = body.finish(r, a);
    if (t.thread() == 0) body.keep(r, v);
    for (int64_t c = t.thread(); c < cols; c += max_threads) body.map(r, c, v);
  }
};

/// A tile of columns, where one slab holds all rows.
template <class Body>
struct CpuReduceMapCols {
  static constexpr int kTile = 64;
  int64_t rows, cols;
  Body body;

  LATENT_CPU_BODY void operator()(int64_t tile) const {
    using A = SumsOf<Body>;
    const int64_t c0 = tile * kTile;
    const int width = static_cast<int>(std::min<int64_t>(kTile, cols - c0));
    const int64_t piece = fold::ceil_div(rows, kColumnWarps);
    A total[kTile];
    for (int w = 0; w < kColumnWarps; ++w) {
      A a[kTile];
      for (int j = 0; j < kTile; ++j) a[j] = SumEach::identity<A>();
      const int64_t end = std::min(rows, (w + 1) * piece);
      for (int64_t r = std::min(rows, w * piece); r < end; ++r) {
#pragma omp simd
        for (int j = 0; j < width; ++j) a[j] = SumEach::combine(a[j], body.term(r, c0 + j));
      }
      for (int j = 0; j < kTile; ++j) total[j] = w == 0 ? a[j] : SumEach::combine(total[j], a[j]);
    }
    NumbersOf<Body> v[kTile];
    for (int j = 0; j < width; ++j) {
      v[j] = body.finish(c0 + j, total[j]);
      body.keep(c0 + j, v[j]);
    }
    for (int64_t r = 0; r < rows; ++r) {
#pragma omp simd
      for (int j = 0; j < width; ++j) body.map(r, c0 + j, v[j]);
    }
  }
};

/// 32 columns, where one slab holds all rows.
template <class Body>
struct GpuReduceMapCols {
  static constexpr int max_threads = 32 * kColumnWarps;
  int64_t rows, cols;
  Body body;

  LATENT_KERNEL void operator()(Thread& t) const {
    using A = SumsOf<Body>;
    SHARED(A, partial, 32 * kColumnWarps);
    const int64_t c = t.block() * 32 + t.lane();
    const int64_t piece = (rows + kColumnWarps - 1) / kColumnWarps, begin = t.warp() * piece;
    const int64_t end = rows < begin + piece ? rows : begin + piece;
    A a = SumEach::identity<A>();
    if (c < cols)
      for (int64_t r = begin; r < end; ++r) a = SumEach::combine(a, body.term(r, c));
    partial[t.thread()] = a;
    t.sync();
    if (c >= cols) return;
    a = partial[t.lane()];
    for (int w = 1; w < kColumnWarps; ++w) a = SumEach::combine(a, partial[w * 32 + t.lane()]);
    const auto v = body.finish(c, a);
    if (t.warp() == 0) body.keep(c, v);
    for (int64_t r = begin; r < end; ++r) body.map(r, c, v);
  }
};

/// The second launch where slabs share the rows: adds up their sums, then maps.
template <class Body>
struct CpuMapSlabs {
  static constexpr int kTile = 64;
  int64_t rows, cols, slabs, tiles;
  Body body;
  const SumsOf<Body>* partial;

  LATENT_CPU_BODY void operator()(int64_t task) const {
    const int64_t slab = task / tiles, c0 = task % tiles * kTile;
    const int width = static_cast<int>(std::min<int64_t>(kTile, cols - c0));
    const int64_t slab_rows = fold::ceil_div(rows, slabs), top = slab * slab_rows;
    NumbersOf<Body> v[kTile];
    for (int j = 0; j < width; ++j) {
      SumsOf<Body> a = partial[c0 + j];
      for (int64_t s = 1; s < slabs; ++s) a = SumEach::combine(a, partial[s * cols + c0 + j]);
      v[j] = body.finish(c0 + j, a);
      if (slab == 0) body.keep(c0 + j, v[j]);
    }
    for (int64_t r = top; r < std::min(rows, top + slab_rows); ++r) {
#pragma omp simd
      for (int j = 0; j < width; ++j) body.map(r, c0 + j, v[j]);
    }
  }
};

template <class Body>
struct GpuMapSlabs {
  static constexpr int max_threads = 32 * kColumnWarps;
  int64_t rows, cols, slabs;
  Body body;
  const SumsOf<Body>* partial;

  LATENT_KERNEL void operator()(Thread& t) const {
    using V = NumbersOf<Body>;
    SHARED(V, numbers, 32);
    const int64_t c = t.block() * 32 + t.lane(), slab = t.block_y();
    const int64_t slab_rows = (rows + slabs - 1) / slabs, top = slab * slab_rows;
    const int64_t bottom = rows < top + slab_rows ? rows : top + slab_rows;
    if (t.warp() == 0 && c < cols) {
      SumsOf<Body> a = partial[c];
      for (int64_t s = 1; s < slabs; ++s) a = SumEach::combine(a, partial[s * cols + c]);
      numbers[t.lane()] = body.finish(c, a);
      if (slab == 0) body.keep(c, numbers[t.lane()]);
    }
    t.sync();
    if (c >= cols) return;
    const V v = numbers[t.lane()];
    for (int64_t r = top + t.warp(); r < bottom; r += kColumnWarps) body.map(r, c, v);
  }
};

template <class Body>
void map_slabs(Stream& stream, int64_t rows, int64_t cols, int64_t slabs, const Body& body,
               const SumsOf<Body>* partial) {
  if (!stream.gpu) {
    const int64_t tiles = fold::ceil_div(cols, CpuMapSlabs<Body>::kTile);
    cpu::run_tasks(slabs * tiles, rows * cols,
                   CpuMapSlabs<Body>{rows, cols, slabs, tiles, body, partial});
  } else if constexpr (cpu_only_v<Body>) {
    no_gpu_body(stream);
  } else {
    launch(stream,
           {.blocks = fold::ceil_div(cols, 32), .threads = 32 * kColumnWarps, .blocks_y = slabs},
           GpuMapSlabs<Body>{rows, cols, slabs, body, partial});
  }
}

}  // namespace skeleton

template <class Body>
void reduce_map_rows(Stream& stream, int64_t rows, int64_t cols, const Body& body) {
  if (rows == 0) return;
  if (!stream.gpu) {
    const int64_t rows_a_task = std::max<int64_t>(1, 2048 / std::max<int64_t>(cols, 1));
    cpu::run_tasks(fold::ceil_div(rows, rows_a_task), rows * cols,
                   skeleton::CpuReduceMapRows<Body>{rows, cols, rows_a_task, body});
  } else if constexpr (cpu_only_v<Body>) {
    no_gpu_body(stream);
  } else if (cols <= skeleton::kWarpRow) {
    launch(stream, {.blocks = fold::ceil_div(rows, 8), .threads = 256},
           skeleton::GpuReduceMapShortRows<Body>{rows, cols, body});
  } else {
    launch(stream, {.blocks = rows, .threads = 32 * skeleton::kRowWarps},
           skeleton::GpuReduceMapLongRows<Body>{cols, body});
  }
}

/// Launches of reduce_map_cols on a GPU.
inline int reduce_map_cols_launches(int64_t rows) { return reduce_cols_launches(rows); }

/// Bytes of workspace that reduce_map_cols needs on every device.
template <class A>
size_t reduce_map_cols_workspace(int64_t rows, int64_t cols) {
  return reduce_cols_workspace<A>(rows, cols);
}

template <class Body>
void reduce_map_cols(Stream& stream, int64_t rows, int64_t cols, const Body& body,
                     void* workspace) {
  using A = skeleton::SumsOf<Body>;
  if (cols == 0) return;
  const int64_t slabs = skeleton::column_slabs(rows);
  if (slabs > 1) {
    A* partial = static_cast<A*>(workspace);
    skeleton::reduce_slabs<cpu_only_v<Body>, SumEach, A>(
        stream, rows, cols, slabs, skeleton::TermOf<Body>{body}, skeleton::Store<A>{partial});
    skeleton::map_slabs(stream, rows, cols, slabs, body, partial);
  } else if (!stream.gpu) {
    using Cpu = skeleton::CpuReduceMapCols<Body>;
    cpu::run_tasks(fold::ceil_div(cols, Cpu::kTile), rows * cols, Cpu{rows, cols, body});
  } else if constexpr (cpu_only_v<Body>) {
    no_gpu_body(stream);
  } else {
    launch(stream, {.blocks = fold::ceil_div(cols, 32), .threads = 32 * skeleton::kColumnWarps},
           skeleton::GpuReduceMapCols<Body>{rows, cols, body});
  }
}

}  // namespace LATENT_BACKEND
}  // namespace latent
