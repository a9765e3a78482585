// Our own product on the GPU: one launch for a product with whatever follows it elementwise, and with the sums of
// A's rows or B's columns over k. Summed in a fixed order. Where its operands come from is a functor: matrices here,
// maps seen through a window in kernels/conv. For .cu files only.
#pragma once

#include "core/math/math.h"
#include "kernels/matmul/gemm.h"
#include "kernels/skeleton/skeleton.h"

namespace latent {

/// By-products of a product: rows_of_a is sum over k of op(A)[m, k], cols_of_b sum over k of op(B)[k, n].
enum class Sums { none, rows_of_a, cols_of_b };

inline namespace LATENT_BACKEND {

/// The operands of a product. Those of another kind have the same members: sizes, how many products there are, and
/// for each a side op(A) and op(B)^T whose element (row, k) is `at`, 0 <= row < m or n and 0 <= k < depth.
struct MatrixSides {
  Gemm gemm;
  const float *a, *b;

  struct Side {
    const float* p;
    int64_t row_stride, k_stride;
    LATENT_KERNEL float at(int64_t row, int64_t k) const {
      return p[row * row_stride + k * k_stride];
    }
    /// Whether neighbouring k are neighbouring addresses, else neighbouring rows are.
    LATENT_KERNEL bool k_first() const { return k_stride == 1; }
  };
  LATENT_HD int64_t m() const { return gemm.m; }
  LATENT_HD int64_t n() const { return gemm.n; }
  LATENT_HD int64_t depth() const { return gemm.k; }
  LATENT_HD int64_t count() const { return gemm.count; }
  LATENT_KERNEL Side side_a(int64_t matrix) const {
    return {a + gemm.batch.a(matrix), gemm.trans_a ? 1 : gemm.k, gemm.trans_a ? gemm.m : 1};
  }
  LATENT_KERNEL Side side_b(int64_t matrix) const {
    return {b + gemm.batch.b(matrix), gemm.trans_b ? gemm.k : 1, gemm.trans_b ? 1 : gemm.n};
  }
};

/// A block of threads makes kTile x kTile elements of C. Its kGroups groups of threads share the kDepth values of
/// k that are in shared memory at a time; in the end their sums are added in order. So a small C with a long
/// sum keeps a GPU busy.
template <int kTile, int kGroups, int kDepth, class Sides, class Epilogue, Sums kSums>
struct TileKernel {
  static constexpr int max_threads = 256;

  Sides sides;
  const float* bias;  ///< may be nullptr
  float *c, *sums;    ///< sums may be nullptr with Sums::none
  Epilogue epilogue;

  int64_t tiles() const {
    return sides.count() * fold::ceil_div(sides.m(), kTile) * fold::ceil_div(sides.n(), kTile);
  }

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(float, shared, 2 * kSide);
    const int64_t depth = sides.depth();
    const int64_t tiles_n = (sides.n() + kTile - 1) / kTile,
                  tiles_m = (sides.m() + kTile - 1) / kTile;
    const int64_t matrix = t.block() / (tiles_m * tiles_n), tile = t.block() % (tiles_m * tiles_n);
    const int64_t row = tile / tiles_n * kTile, col = tile % tiles_n * kTile;
    const auto side_a = sides.side_a(matrix);
    const auto side_b = sides.side_b(matrix);
    const int64_t rows_a = sides.m() - row, rows_b = sides.n() - col;

    Accumulators sum;
    float next_a[kLoads], next_b[kLoads];
    load(t, side_a, row, rows_a, 0, next_a);
    load(t, side_b, col, rows_b, 0, next_b);
    for (int64_t k = 0; k < depth; k += kDepth) {
      store(t, side_a, next_a, shared);
      store(t, side_b, next_b, shared + kSide);
      t.sync();
      if (k + kDepth < depth) {
        load(t, side_a, row, rows_a, k + kDepth, next_a);
        load(t, side_b, col, rows_b, k + kDepth, next_b);
      }
      multiply(t, depth - k < kDepth ? static_cast<int>(depth - k) : kDepth, shared, sum);
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

  /// Where element e of a side's tile lies: neighbouring threads read neighbouring addresses.
  template <class Side>
  LATENT_KERNEL static int row_of(const Side& side, int e) {
    return side.k_first() ? e / kDepth : e % kTile;
  }
  template <class Side>
  LATENT_KERNEL static int k_of(const Side& side, int e) {
    return side.k_first() ? e % kDepth : e / kTile;
  }

  struct Accumulators {
    float c[kPerThread][kCols] = {};
    float side[kPerThread > kCols ? kPerThread : kCols] = {};
  };

  /// The tile from row `first` and `k` on, of a side that has `rows` more rows.
  template <class Side>
  LATENT_KERNEL void load(Thread& t, const Side& side, int64_t first, int64_t rows, int64_t k,
                          float (&next)[kLoads]) const {
    for (int i = 0; i < kLoads; ++i) {
      const int e = t.thread() + i * max_threads;
      const int row = row_of(side, e);
      const int64_t at = k + k_of(side, e);
      next[i] = row < rows && at < sides.depth() ? side.at(first + row, at) : 0.0f;
    }
  }

  template <class Side>
  LATENT_KERNEL void store(Thread& t, const Side& side, const float (&next)[kLoads],
                           float* to) const {
    for (int i = 0; i < kLoads; ++i) {
      const int e = t.thread() + i * max_threads;
      to[k_of(side, e) * kStride + row_of(side, e)] = next[i];
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
      if (r >= sides.m() || s >= sides.n()) continue;
      const float sum = add_groups(shared + e, kTile * kTile);
      const int64_t i = (matrix * sides.m() + r) * sides.n() + s;
      c[i] = epilogue(bias ? sum + bias[s] : sum, i);
    }
    if constexpr (kSums != Sums::none) {
      const bool of_a = kSums == Sums::rows_of_a;
      const int64_t at = (of_a ? row : col) + t.thread(), size = of_a ? sides.m() : sides.n();
      if ((of_a ? col : row) == 0 && t.thread() < kTile && at < size)
        sums[matrix * size + at] = add_groups(shared + kAreSums + t.thread(), kTile);
    }
  }
};

/// c[i] = epilogue(op(A) op(B) (+ bias), i), and of each product the sums into `sums`. An epilogue is a functor of
/// plain data `float operator()(float value, int64_t index) const` for host and device.
template <Sums kSums = Sums::none, class Sides, class Epilogue>
void tile_sides(Stream& stream, const Sides& sides, const float* bias, float* c,
                const Epilogue& epilogue, float* sums = nullptr) {
  constexpr int64_t kManyTiles = 128;  // about as many as a large GPU has multiprocessors
  const TileKernel<32, 4, 64, Sides, Epilogue, kSums> wide{sides, bias, c, sums, epilogue};
  if (wide.tiles() >= kManyTiles)
    return launch(stream, {.blocks = wide.tiles(), .threads = 256}, wide);
  const TileKernel<16, 8, 128, Sides, Epilogue, kSums> narrow{sides, bias, c, sums, epilogue};
  launch(stream, {.blocks = narrow.tiles(), .threads = 256}, narrow);
}

template <class Epilogue, Sums kSums = Sums::none>
void tile_product(Stream& stream, const Gemm& gemm, const float* a, const float* b,
                  const float* bias, float* c, const Epilogue& epilogue, float* sums = nullptr) {
  tile_sides<kSums>(stream, MatrixSides{gemm, a, b}, bias, c, epilogue, sums);
}

}  // namespace LATENT_BACKEND
}  // namespace latent
