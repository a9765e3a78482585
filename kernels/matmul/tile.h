// Our own product on the GPU: one launch for a product with whatever follows it elementwise, and with the sums of
// A's rows or B's columns over k. Summed in a fixed order. For .cu files only.
#pragma once

#include "core/math/math.h"
#include "kernels/matmul/gemm.h"
#include "kernels/skeleton/skeleton.h"

namespace latent {

/// By-products of a product: rows_of_a is sum over k of op(A)[m, k], cols_of_b sum over k of op(B)[k, n].
enum class Sums { none, rows_of_a, cols_of_b };

inline namespace LATENT_BACKEND {

/// A block of threads makes kTile x kTile elements of C. Its kGroups groups of threads share the kDepth values of
/// k that are in shared memory at a time; in the end their sums are added in order. So a small C with a long
/// sum keeps a GPU busy.
template <int kTile, int kGroups, int kDepth, class Epilogue, Sums kSums>
struct TileKernel {
  static constexpr int max_threads = 256;

  Gemm gemm;
  const float *a, *b, *bias;  ///< bias may be nullptr
  float *c, *sums;            ///< sums may be nullptr with Sums::none
  Epilogue epilogue;

  int64_t tiles_m() const { return fold::ceil_div(gemm.m, kTile); }
  int64_t tiles_n() const { return fold::ceil_div(gemm.n, kTile); }

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(float, shared, 2 * kSide);
    const int64_t tiles_n = (gemm.n + kTile - 1) / kTile, tiles_m = (gemm.m + kTile - 1) / kTile;
    const int64_t matrix = t.block() / (tiles_m * tiles_n), tile = t.block() % (tiles_m * tiles_n);
    const int64_t row = tile / tiles_n * kTile, col = tile % tiles_n * kTile;
    const Side side_a{a + gemm.batch.a(matrix), gemm.trans_a ? 1 : gemm.k,
                      gemm.trans_a ? gemm.m : 1, row, gemm.m};
    const Side side_b{b + gemm.batch.b(matrix), gemm.trans_b ? gemm.k : 1,
                      gemm.trans_b ? 1 : gemm.n, col, gemm.n};

    Accumulators sum;
    float next_a[kLoads], next_b[kLoads];
    load(t, side_a, 0, next_a);
    load(t, side_b, 0, next_b);
    for (int64_t k = 0; k < gemm.k; k += kDepth) {
      store(t, side_a, next_a, shared);
      store(t, side_b, next_b, shared + kSide);
      t.sync();
      if (k + kDepth < gemm.k) {
        load(t, side_a, k + kDepth, next_a);
        load(t, side_b, k + kDepth, next_b);
      }
      multiply(t, gemm.k - k < kDepth ? static_cast<int>(gemm.k - k) : kDepth, shared, sum);
      t.sync();
    }
    share(t, sum, shared);
    t.sync();
    finish(t, matrix, row, col, shared);
  }

 private:
  static constexpr int kPerThread = 4;  // rows of C, and columns, of a thread; columns less:
  static constexpr int kGroupThreads = max_threads / kGroups;
  static constexpr int kCols = kTile * kTile / kGroupThreads / kPerThread;
  static constexpr int kAcross = kTile / kCols, kDown = kTile / kPerThread;
  static constexpr int kStride = kTile + 1;  // of a value of k in shared memory: no bank conflicts
  static constexpr int kSide = kDepth * kStride;
  static constexpr int kLoads = kTile * kDepth / max_threads;
  static constexpr int kGroupDepth = kDepth / kGroups;
  static constexpr int kAreSums =
      kGroups * kTile * kTile;  // where the sums of op(A) or op(B) begin
  static_assert(kAcross * kDown == kGroupThreads && kAreSums + kGroups * kTile <= 2 * kSide);

  /// op(A) or op(B)^T as rows of k: element (row, k) is p[row * row_stride + k * k_stride].
  struct Side {
    const float* p;
    int64_t row_stride, k_stride, first, rows;

    /// Neighbouring threads read neighbouring addresses.
    LATENT_KERNEL int row(int e) const { return k_stride == 1 ? e / kDepth : e % kTile; }
    LATENT_KERNEL int k(int e) const { return k_stride == 1 ? e % kDepth : e / kTile; }
  };

  struct Accumulators {
    float c[kPerThread][kCols] = {};
    float side[kPerThread > kCols ? kPerThread : kCols] = {};
  };

  LATENT_KERNEL void load(Thread& t, const Side& side, int64_t k, float (&next)[kLoads]) const {
    for (int i = 0; i < kLoads; ++i) {
      const int e = t.thread() + i * max_threads;
      const int64_t row = side.first + side.row(e), at = k + side.k(e);
      next[i] = row < side.rows && at < gemm.k ? side.p[row * side.row_stride + at * side.k_stride]
                                               : 0.0f;
    }
  }

  LATENT_KERNEL void store(Thread& t, const Side& side, const float (&next)[kLoads],
                           float* to) const {
    for (int i = 0; i < kLoads; ++i) {
      const int e = t.thread() + i * max_threads;
      to[side.k(e) * kStride + side.row(e)] = next[i];
    }
  }

  LATENT_KERNEL static int group(Thread& t) { return t.thread() / kGroupThreads; }
  /// The first of this thread's rows, of which each is kDown further, and columns, each kAcross further.
  LATENT_KERNEL static int first_row(Thread& t) { return t.thread() % kGroupThreads / kAcross; }
  LATENT_KERNEL static int first_col(Thread& t) { return t.thread() % kAcross; }

  LATENT_KERNEL void multiply(Thread& t, int depth, const float* shared, Accumulators& sum) const {
    const int begin = group(t) * kGroupDepth,
              end = begin + kGroupDepth < depth ? begin + kGroupDepth : depth;
    for (int k = begin; k < end; ++k) {
      const float* of_a = shared + k * kStride + first_row(t);
      const float* of_b = shared + kSide + k * kStride + first_col(t);
      float x[kPerThread], y[kCols];
      for (int i = 0; i < kPerThread; ++i) x[i] = of_a[i * kDown];
      for (int j = 0; j < kCols; ++j) y[j] = of_b[j * kAcross];
      for (int i = 0; i < kPerThread; ++i)
        for (int j = 0; j < kCols; ++j) sum.c[i][j] = math::fma(x[i], y[j], sum.c[i][j]);
      if constexpr (kSums == Sums::rows_of_a)
        for (int i = 0; i < kPerThread; ++i) sum.side[i] += x[i];
      if constexpr (kSums == Sums::cols_of_b)
        for (int j = 0; j < kCols; ++j) sum.side[j] += y[j];
    }
  }

  /// Every group's tile into shared memory, and behind them what it summed of A or B.
  LATENT_KERNEL void share(Thread& t, const Accumulators& sum, float* shared) const {
    for (int i = 0; i < kPerThread; ++i)
      for (int j = 0; j < kCols; ++j)
        shared[(group(t) * kTile + first_row(t) + i * kDown) * kTile + first_col(t) + j * kAcross] =
            sum.c[i][j];
    float* const sides = shared + kAreSums + group(t) * kTile;
    if constexpr (kSums == Sums::rows_of_a) {
      if (first_col(t) == 0)
        for (int i = 0; i < kPerThread; ++i) sides[first_row(t) + i * kDown] = sum.side[i];
    }
    if constexpr (kSums == Sums::cols_of_b) {
      if (first_row(t) == 0)
        for (int j = 0; j < kCols; ++j) sides[first_col(t) + j * kAcross] = sum.side[j];
    }
  }

  LATENT_KERNEL static float add_groups(const float* first, int stride) {
    float sum = first[0];
    for (int g = 1; g < kGroups; ++g) sum += first[g * stride];
    return sum;
  }

  LATENT_KERNEL void finish(Thread& t, int64_t matrix, int64_t row, int64_t col,
                            const float* shared) const {
    for (int e = t.thread(); e < kTile * kTile; e += max_threads) {
      const int64_t r = row + e / kTile, s = col + e % kTile;
      if (r >= gemm.m || s >= gemm.n) continue;
      const float sum = add_groups(shared + e, kTile * kTile);
      const int64_t i = (matrix * gemm.m + r) * gemm.n + s;
      c[i] = epilogue(bias ? sum + bias[s] : sum, i);
    }
    if constexpr (kSums != Sums::none) {
      const bool of_a = kSums == Sums::rows_of_a;
      const int64_t at = (of_a ? row : col) + t.thread();
      if ((of_a ? col : row) == 0 && t.thread() < kTile && at < (of_a ? gemm.m : gemm.n))
        sums[at] = add_groups(shared + kAreSums + t.thread(), kTile);
    }
  }
};

/// c[i] = epilogue(op(a) op(b) (+ bias), i), and the sums into `sums`. An epilogue is a functor of plain data
/// `float operator()(float value, int64_t index) const` for host and device.
template <class Epilogue, Sums kSums = Sums::none>
void tile_product(Stream& stream, const Gemm& gemm, const float* a, const float* b,
                  const float* bias, float* c, const Epilogue& epilogue, float* sums = nullptr) {
  constexpr int64_t kManyTiles = 128;  // about as many as a large GPU has multiprocessors
  const TileKernel<32, 4, 64, Epilogue, kSums> wide{gemm, a, b, bias, c, sums, epilogue};
  const int64_t tiles = wide.tiles_m() * wide.tiles_n() * gemm.count;
  if (tiles >= kManyTiles) return launch(stream, {.blocks = tiles, .threads = 256}, wide);
  const TileKernel<16, 8, 128, Epilogue, kSums> narrow{gemm, a, b, bias, c, sums, epilogue};
  launch(stream, {.blocks = narrow.tiles_m() * narrow.tiles_n() * gemm.count, .threads = 256},
         narrow);
}

}  // namespace LATENT_BACKEND
}  // namespace latent
