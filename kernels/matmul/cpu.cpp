#include "kernels/matmul/cpu.h"

#include <algorithm>

#include "kernels/matmul/team.h"

namespace latent {
namespace {

int64_t ceil_div(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }
int64_t round_up(int64_t n, int64_t unit) { return ceil_div(n, unit) * unit; }

}  // namespace

// Measured with oneDNN 2.6 on two AVX-512 cores: a task of half a MFLOP takes as long as waking a thread. Every
// block of rows packs B anew, so these shouldn't be thin; blocks come in even numbers, as cores do.
Blocking blocking(const Gemm& g) {
  constexpr double kTaskFlops = 5e5, kMostTasks = 64;
  constexpr int64_t kRows = 128, kThinRows = 16, kCols = 512, kSlices = 8, kShortK = 64,
                    kLongK = 1024;
  const auto tasks = static_cast<int64_t>(std::clamp(g.flops() / kTaskFlops, 1.0, kMostTasks));
  const int64_t wanted = ceil_div(tasks, std::max<int64_t>(1, g.count));  // of each matrix
  Blocking cut{g.m, g.n, g.k};
  if (wanted > 1 && g.m >= kThinRows)
    cut.rows = round_up(ceil_div(g.m, 2 * std::max<int64_t>(1, (g.m + kRows) / (2 * kRows))), 4);
  const int64_t row_blocks = ceil_div(g.m, std::max<int64_t>(1, cut.rows));
  const int64_t col_blocks = std::min(wanted / row_blocks, (g.n + kCols / 2) / kCols);
  if (col_blocks > 1) {
    // Over a short K writing C takes the time: as many blocks, but of whole rows.
    const int64_t fewer_rows = round_up(ceil_div(cut.rows, col_blocks), 4);
    if (g.k <= kShortK && fewer_rows >= kThinRows)
      cut.rows = fewer_rows;
    else
      cut.cols = round_up(ceil_div(g.n, col_blocks), 16);
  }
  if (row_blocks * std::max<int64_t>(1, col_blocks) * g.count < 4 && tasks >= 8 && g.k >= kLongK)
    cut.depth = round_up(ceil_div(g.k, kSlices), 16);
  return cut;
}

template <class T>
struct CpuGemm<T>::Task {
  Block block;
  int64_t slice, depth;
};

template <class T>
CpuGemm<T>::CpuGemm(const Gemm& gemm, bool bias, Device& device, CpuBackend backend)
    : gemm_(gemm), cut_(blocking(gemm)), threads_(omp_get_max_threads()), bias_(bias) {
  rows_ = ceil_div(gemm.m, std::max<int64_t>(cut_.rows, 1));
  cols_ = ceil_div(gemm.n, std::max<int64_t>(cut_.cols, 1));
  slices_ = std::max<int64_t>(1, ceil_div(gemm.k, std::max<int64_t>(cut_.depth, 1)));
  const int64_t blocks = gemm.count * rows_ * cols_;
  if (slices_ > 1)
    partial_bytes_ = round_up(sizeof(T) * slices_ * gemm.count * gemm.m * gemm.n, 64);
  threads_ = static_cast<int>(std::min<int64_t>(threads_, std::max<int64_t>(1, blocks * slices_)));
  for (int64_t i = 0; i < blocks * slices_; ++i) {
    const Task t = task(i);
    auto& made =
        products_[t.block.rows < cut_.rows][t.block.cols < cut_.cols][t.depth < cut_.depth];
    if (made) continue;
    const BlockShape shape{t.block.rows, t.block.cols, t.depth,    gemm.trans_a,
                           gemm.trans_b, gemm.lda(),   gemm.ldb(), gemm.n};
    const bool add_bias = bias && slices_ == 1;
    if constexpr (std::is_same_v<T, float>)
      if (backend == CpuBackend::fastest && t.depth > 0)
        made = onednn_block(shape, add_bias, threads_, device);
    if (!made) made = plain_block<T>(shape, add_bias);
    scratch_ = std::max<size_t>(scratch_, round_up(made->scratch(), 64));
  }
}

template <class T>
typename CpuGemm<T>::Task CpuGemm<T>::task(int64_t index) const {
  const int64_t blocks = gemm_.count * rows_ * cols_;
  Task t;
  t.slice = index / blocks;
  t.depth = std::min(cut_.depth, gemm_.k - t.slice * cut_.depth);
  const int64_t block = index % blocks;
  const int64_t row = block / cols_ % rows_ * cut_.rows, col = block % cols_ * cut_.cols;
  t.block = {block,
             blocks,
             block / (rows_ * cols_),
             row,
             std::min(cut_.rows, gemm_.m - row),
             col,
             std::min(cut_.cols, gemm_.n - col)};
  return t;
}

template <class T>
BlockProduct<T>& CpuGemm<T>::product(const Task& t) const {
  return *products_[t.block.rows < cut_.rows][t.block.cols < cut_.cols][t.depth < cut_.depth];
}

template <class T>
void CpuGemm<T>::run(const T* a, const T* b, const T* bias, T* c, void* workspace,
                     const Finish& finish) const {
  const int64_t blocks = gemm_.count * rows_ * cols_, size_c = gemm_.count * gemm_.m * gemm_.n;
  T* const partial = static_cast<T*>(workspace);
  char* const scratch = static_cast<char*>(workspace) + partial_bytes_;
  parallel_tasks(blocks * slices_, threads_, [&](int64_t index, int thread) {
    const Task t = task(index);
    const Block& block = t.block;
    const int64_t k = t.slice * cut_.depth;
    const T* const from_a =
        a + gemm_.batch.a(block.matrix) +
        (gemm_.trans_a ? k * gemm_.lda() + block.row : block.row * gemm_.lda() + k);
    const T* const from_b =
        b + gemm_.batch.b(block.matrix) +
        (gemm_.trans_b ? block.col * gemm_.ldb() + k : k * gemm_.ldb() + block.col);
    T* const to = (slices_ == 1 ? c : partial + t.slice * size_c) +
                  (block.matrix * gemm_.m + block.row) * gemm_.n + block.col;
    product(t).run(thread, from_a, from_b, bias ? bias + block.col : nullptr, to,
                   scratch + thread * scratch_);
    if (slices_ == 1 && finish) finish(block);
  });
  if (slices_ == 1) return;
  parallel_tasks(blocks, threads_, [&](int64_t index, int) {
    const Block block = task(index).block;
    sum_slices(block, bias, c, partial);
    if (finish) finish(block);
  });
}

template <class T>
void CpuGemm<T>::sum_slices(const Block& block, const T* bias, T* c, const T* partial) const {
  const int64_t size_c = gemm_.count * gemm_.m * gemm_.n;
  for (int64_t row = block.row; row < block.row + block.rows; ++row) {
    const int64_t at = (block.matrix * gemm_.m + row) * gemm_.n;
    for (int64_t col = block.col; col < block.col + block.cols; ++col) {
      T sum = bias ? bias[col] : T(0);
      for (int64_t slice = 0; slice < slices_; ++slice) sum += partial[slice * size_c + at + col];
      c[at + col] = sum;
    }
  }
}

template class CpuGemm<float>;
template class CpuGemm<double>;

}  // namespace latent
