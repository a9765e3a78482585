// The plain product: B is packed into panels of kDepth values of k, and a register block of C is
// made at a time. The order of summation is a function of k alone.
#include <algorithm>
#include <type_traits>

#if defined(__FMA__)
#include <immintrin.h>
#endif

#include "core/math/math.h"
#include "kernels/matmul/block.h"

namespace latent {
namespace {

constexpr int64_t kDepth = 256;  // a panel stays in the first-level cache
constexpr int kRows = 6;         // and kRows * kCols sums in 12 of AVX2's 16 registers
constexpr int kVectorBytes = 32;

/// 32 bytes of T: one AVX2 register, or as many of the machine's as that takes.
template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias));
  static constexpr int kLanes = kVectorBytes / sizeof(T);
};

template <class T>
constexpr int kCols = 2 * VectorOf<T>::kLanes;

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

/// Panels of kCols columns of b, where element (k, col) is b[k * k_stride + col * col_stride]: out
/// [panel][depth][kCols], zero beyond `cols`.
template <class T>
void pack(const T* b, int64_t k_stride, int64_t col_stride, int64_t depth, int64_t cols, T* out) {
  for (int64_t first = 0; first < cols; first += kCols<T>) {
    const int width = static_cast<int>(std::min<int64_t>(kCols<T>, cols - first));
    const T* from = b + first * col_stride;
    for (int64_t k = 0; k < depth; ++k, out += kCols<T>) {
      for (int i = 0; i < width; ++i) out[i] = from[k * k_stride + i * col_stride];
      for (int i = width; i < kCols<T>; ++i) out[i] = 0;
    }
  }
}

/// sum += a * b in every lane, rounded once. Compilers make one instruction a lane of the loop.
template <class T, class Vector>
inline void add_product(Vector& sum, T a, const Vector& b) {
#if defined(__FMA__)
  if constexpr (std::is_same_v<T, float>)
    sum = (Vector)_mm256_fmadd_ps(_mm256_set1_ps(a), (__m256)b, (__m256)sum);
  else
    sum = (Vector)_mm256_fmadd_pd(_mm256_set1_pd(a), (__m256d)b, (__m256d)sum);
#else
  for (int lane = 0; lane < VectorOf<T>::kLanes; ++lane)
    sum[lane] = math::fma(a, b[lane], sum[lane]);
#endif
}

/// tile [kRows, kCols] = rows of A times a panel; row i at k is rows[i][k * k_stride].
template <class T>
void multiply(const T* const (&rows)[kRows], int64_t k_stride, const T* panel, int64_t depth,
              T* tile) {
  using Vector = typename VectorOf<T>::type;
  constexpr int kLanes = VectorOf<T>::kLanes;
  Vector sum[kRows][2] = {};
  for (int64_t k = 0; k < depth; ++k, panel += kCols<T>) {
    const Vector b0 = *reinterpret_cast<const Vector*>(panel);
    const Vector b1 = *reinterpret_cast<const Vector*>(panel + kLanes);
#pragma GCC unroll 6
    for (int i = 0; i < kRows; ++i) {
      const T a = rows[i][k * k_stride];
      add_product(sum[i][0], a, b0);
      add_product(sum[i][1], a, b1);
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < kRows; ++i) {
    *reinterpret_cast<Vector*>(tile + i * kCols<T>) = sum[i][0];
    *reinterpret_cast<Vector*>(tile + i * kCols<T> + kLanes) = sum[i][1];
  }
}

template <class T>
class PlainBlock final : public BlockProduct<T> {
 public:
  PlainBlock(const BlockShape& shape, bool bias) : shape_(shape), bias_(bias) {}

  size_t scratch() const override {
    return sizeof(T) * round_up(shape_.n, kCols<T>) * std::min(shape_.k, kDepth);
  }

  void run(int, const T* a, const T* b, const T* bias, T* c, void* scratch) const override {
    const auto& [m, n, k, trans_a, trans_b, lda, ldb, ldc] = shape_;
    T* const panels = static_cast<T*>(scratch);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) c[i * ldc + j] = bias_ ? bias[j] : T(0);
    for (int64_t first = 0; first < k; first += kDepth) {
      const int64_t depth = std::min(kDepth, k - first);
      pack(b + first * (trans_b ? 1 : ldb), trans_b ? 1 : ldb, trans_b ? ldb : 1, depth, n, panels);
      const T* const from_a = a + first * (trans_a ? lda : 1);
      for (int64_t j = 0; j < n; j += kCols<T>)
        for (int64_t i = 0; i < m; i += kRows)
          add_tile(from_a, i, panels + j * depth, depth, std::min<int64_t>(kCols<T>, n - j),
                   c + i * ldc + j);
    }
  }

 private:
  /// c [up to kRows, cols] += rows of A from `row` times a panel.
  void add_tile(const T* a, int64_t row, const T* panel, int64_t depth, int64_t cols, T* c) const {
    const int64_t row_stride = shape_.trans_a ? 1 : shape_.lda;
    const T* rows[kRows];  // the last one stands for those beyond
    for (int i = 0; i < kRows; ++i) rows[i] = a + std::min(row + i, shape_.m - 1) * row_stride;
    T tile[kRows * kCols<T>];
    multiply(rows, shape_.trans_a ? shape_.lda : 1, panel, depth, tile);
    for (int64_t i = 0; i < std::min<int64_t>(kRows, shape_.m - row); ++i)
#pragma omp simd
      for (int64_t j = 0; j < cols; ++j) c[i * shape_.ldc + j] += tile[i * kCols<T> + j];
  }

  BlockShape shape_;
  bool bias_;
};

}  // namespace

template <class T>
std::unique_ptr<BlockProduct<T>> plain_block(const BlockShape& shape, bool bias) {
  return std::make_unique<PlainBlock<T>>(shape, bias);
}
template std::unique_ptr<BlockProduct<float>> plain_block(const BlockShape&, bool);
template std::unique_ptr<BlockProduct<double>> plain_block(const BlockShape&, bool);

}  // namespace latent
