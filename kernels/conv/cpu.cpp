#include "kernels/conv/cpu.h"

#include <algorithm>

#include "kernels/matmul/team.h"

namespace latent {
namespace {

int64_t ceil_div(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }
template <class T>
T round_up(T n, T unit) {
  return (n + unit - 1) / unit * unit;
}

/// Images of a task: half a MFLOP takes as long as waking a thread. A function of the problem alone.
int64_t rows_of_block(const ConvProblem& p) {
  constexpr double kTaskFlops = 5e5, kMostTasks = 64;
  const double flops = p.flops() / static_cast<double>(std::max<int64_t>(1, p.count));
  const auto tasks = static_cast<int64_t>(std::clamp(flops / kTaskFlops, 1.0, kMostTasks));
  return std::max<int64_t>(1, ceil_div(p.rows, tasks));
}

std::unique_ptr<ConvBlock<float>> library_conv(const ConvProblem& problem, ConvPass pass,
                                               bool vector, int threads, Device& device) {
  // Measured: at such an end oneDNN takes ten times as long.
  if (!ends_in_one_channel(problem, pass))
    return onednn_conv(problem, pass, vector, threads, device);
  return one_channel_conv<float>(problem, pass, [&](const BlockShape& shape) {
    auto product = onednn_block(shape, false, threads, device);
    return product ? std::move(product) : plain_block<float>(shape, false);
  });
}

template <class T>
std::shared_ptr<ConvBlock<T>> make_block(ConvProblem problem, int64_t rows, ConvPass pass,
                                         bool vector, int threads, Device& device,
                                         CpuBackend backend) {
  problem.rows = rows;
  problem.count = 1;
  if constexpr (std::is_same_v<T, float>)
    if (backend == CpuBackend::fastest)
      if (auto made = library_conv(problem, pass, vector, threads, device)) return made;
  static_cast<void>(threads), static_cast<void>(device), static_cast<void>(backend);
  return plain_conv<T>(problem, pass, vector);
}

/// Blocks of `full` rows and one of the rest.
template <class T>
void make_blocks(const ConvProblem& problem, int64_t full, ConvPass pass, bool vector, int threads,
                 Device& device, CpuBackend backend, std::shared_ptr<ConvBlock<T>> (&convs)[2],
                 size_t& scratch) {
  const int64_t rest = problem.rows % full;
  for (const int64_t rows : {problem.rows >= full ? full : 0, rest}) {
    if (rows == 0) continue;
    auto& conv = convs[rows < full];
    conv = make_block<T>(problem, rows, pass, vector, threads, device, backend);
    scratch = std::max(scratch, round_up(conv->scratch(), size_t{64}));
  }
}

}  // namespace

template <class T>
CpuConv<T>::CpuConv(const ConvProblem& problem, ConvPass pass, bool bias, Device& device,
                    CpuBackend backend)
    : problem_(problem), pass_(pass), block_rows_(rows_of_block(problem)) {
  blocks_ = ceil_div(problem.rows, block_rows_);
  threads_ = static_cast<int>(std::clamp<int64_t>(blocks_, 1, omp_get_max_threads()));
  make_blocks(problem, block_rows_, pass, bias && pass == ConvPass::forward, threads_, device,
              backend, convs_, scratch_);
  for (const auto& conv : convs_)
    if (conv) shared_bytes_ += round_up(conv->reordered() * sizeof(T), size_t{64});
}

template <class T>
void CpuConv<T>::run(const T* in, const T* w, const T* bias, T* out, void* workspace,
                     const Finish& finish) const {
  const bool forward = pass_ == ConvPass::forward;
  const int64_t of_in = problem_.rows * (forward ? problem_.large_row() : problem_.small_row());
  const int64_t of_out = problem_.rows * (forward ? problem_.small_row() : problem_.large_row());
  for (int64_t i = 0; i < problem_.count; ++i)
    run_one(in + problem_.batch.a(i) * of_in, w + problem_.batch.b(i) * problem_.weights(), bias,
            out + i * of_out, i * of_out, workspace, finish);
}

template <class T>
void CpuConv<T>::run_one(const T* in, const T* w, const T* bias, T* out, int64_t first,
                         void* workspace, const Finish& finish) const {
  const bool forward = pass_ == ConvPass::forward;
  const int64_t of_in = forward ? problem_.large_row() : problem_.small_row();
  const int64_t of_out = forward ? problem_.small_row() : problem_.large_row();
  char* const scratch = static_cast<char*>(workspace) + shared_bytes_;
  T* weights[2] = {const_cast<T*>(w), const_cast<T*>(w)};
  char* next = static_cast<char*>(workspace);
  for (int i = 0; i < 2; ++i) {
    if (!convs_[i] || convs_[i]->reordered() == 0) continue;
    weights[i] = reinterpret_cast<T*>(next);
    convs_[i]->reorder(w, weights[i]);
    next += round_up(convs_[i]->reordered() * sizeof(T), size_t{64});
  }
  parallel_tasks(blocks_, threads_, [&](int64_t block, int thread) {
    const int64_t row = block * block_rows_, rows = std::min(block_rows_, problem_.rows - row);
    T* const from = const_cast<T*>(in) + row * of_in;
    T* const to = out + row * of_out;
    const int last = rows < block_rows_;
    convs_[last]->run(thread,
                      {forward ? from : to, forward ? to : from, weights[last],
                       forward ? const_cast<T*>(bias) : nullptr},
                      scratch + thread * scratch_);
    if (!forward && bias)
      for (T* y = to; y < to + rows * of_out; y += problem_.channels)
#pragma omp simd
        for (int64_t c = 0; c < problem_.channels; ++c) y[c] += bias[c];
    if (finish) finish(first + row * of_out, first + (row + rows) * of_out);
  });
}

template <class T>
CpuConvWeight<T>::CpuConvWeight(const ConvProblem& problem, bool sums, Device& device,
                                CpuBackend backend)
    : problem_(problem) {
  constexpr int64_t kSlices = 8;
  slice_rows_ = std::max<int64_t>(1, ceil_div(problem.rows, kSlices));
  slices_ = ceil_div(problem.rows, slice_rows_);
  threads_ = static_cast<int>(std::clamp<int64_t>(slices_, 1, omp_get_max_threads()));
  make_blocks(problem, slice_rows_, ConvPass::weight, sums, threads_, device, backend, convs_,
              scratch_);
  partial_ = round_up(problem.weights() + (sums ? problem.filters : 0), int64_t{16});
}

template <class T>
size_t CpuConvWeight<T>::workspace() const {
  return round_up(slices_ * partial_ * sizeof(T), size_t{64}) + threads_ * scratch_;
}

template <class T>
void CpuConvWeight<T>::run(const T* large, const T* small, T* dw, T* sums, void* workspace) const {
  for (int64_t i = 0; i < problem_.count; ++i)
    run_one(large + problem_.batch.a(i) * problem_.rows * problem_.large_row(),
            small + problem_.batch.b(i) * problem_.rows * problem_.small_row(),
            dw + i * problem_.weights(), sums ? sums + i * problem_.filters : nullptr, workspace);
}

template <class T>
void CpuConvWeight<T>::run_one(const T* large, const T* small, T* dw, T* sums,
                               void* workspace) const {
  if (slices_ == 0) {
    std::fill_n(dw, problem_.weights(), T(0));
    if (sums) std::fill_n(sums, problem_.filters, T(0));
    return;
  }
  T* const partial = static_cast<T*>(workspace);
  char* const scratch =
      static_cast<char*>(workspace) + round_up(slices_ * partial_ * sizeof(T), size_t{64});
  const int64_t weights = problem_.weights();
  parallel_tasks(slices_, threads_, [&](int64_t slice, int thread) {
    const int64_t row = slice * slice_rows_, rows = std::min(slice_rows_, problem_.rows - row);
    T* const made = partial + slice * partial_;
    convs_[rows < slice_rows_]->run(
        thread,
        {const_cast<T*>(large) + row * problem_.large_row(),
         const_cast<T*>(small) + row * problem_.small_row(), made, sums ? made + weights : nullptr},
        scratch + thread * scratch_);
  });
  constexpr int64_t kSpan = 4096;
  const int64_t n = weights + (sums ? problem_.filters : 0);
  parallel_tasks(ceil_div(n, kSpan), threads_, [&](int64_t span, int) {
    const int64_t begin = span * kSpan, end = std::min(n, begin + kSpan);
    for (int64_t slice = 1; slice < slices_; ++slice)
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) partial[i] += partial[slice * partial_ + i];
  });
  std::copy_n(partial, weights, dw);
  if (sums) std::copy_n(partial + weights, problem_.filters, sums);
}

template class CpuConv<float>;
template class CpuConv<double>;
template class CpuConvWeight<float>;
template class CpuConvWeight<double>;

}  // namespace latent
