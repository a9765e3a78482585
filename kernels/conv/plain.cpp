// The plain convolution: patches of a strip of the small map as a matrix, and products with it. Every pass is one of
//   small = patches weight^T,   patches = small weight, added up in the large map,   weight = small^T patches.
#include <algorithm>

#include "kernels/conv/block.h"
#include "kernels/matmul/block.h"

namespace latent {
namespace {

template <class T>
class PlainConv final : public ConvBlock<T> {
 public:
  PlainConv(const ConvProblem& problem, ConvPass pass, bool vector)
      : p_(problem), pass_(pass), depth_(problem.window.taps() * problem.channels) {
    constexpr int64_t kPatchBytes = 1 << 17;  // stay in the second-level cache
    const int64_t height = p_.window.small[0], width = p_.window.small[1];
    const int64_t of_row = std::max<int64_t>(1, width * depth_ * int64_t{sizeof(T)});
    strip_ = std::clamp<int64_t>(kPatchBytes / of_row, 1, height);
    for (const int64_t rows : {strip_, height % strip_}) {
      if (rows == 0) continue;
      auto& made = products_[rows < strip_];
      made = product(rows * width, vector && pass == ConvPass::forward);
      scratch_ = std::max(scratch_, made->scratch());
    }
    patches_ = strip_ * width * depth_;
    products_bytes_ = sizeof(T) * (patches_ + (pass == ConvPass::weight ? p_.weights() : 0));
  }

  size_t scratch() const override { return products_bytes_ + 64 + scratch_; }

  void run(int thread, const ConvOperands<T>& o, void* scratch) const override {
    T* const patches = static_cast<T*>(scratch);
    T* const partial = patches + patches_;
    void* const rest = static_cast<char*>(scratch) + (products_bytes_ + 63) / 64 * 64;
    if (pass_ == ConvPass::transposed) std::fill_n(o.large, p_.rows * p_.large_row(), T(0));
    if (pass_ == ConvPass::weight) std::fill_n(o.weight, p_.weights(), T(0));
    const int64_t height = p_.window.small[0], width = p_.window.small[1];
    for (int64_t n = 0; n < p_.rows; ++n)
      for (int64_t top = 0; top < height; top += strip_) {
        const int64_t rows = std::min(strip_, height - top);
        const BlockProduct<T>& multiply = *products_[rows < strip_];
        T* const large = o.large + n * p_.large_row();
        T* const small = o.small + n * p_.small_row() + top * width * p_.filters;
        if (pass_ == ConvPass::transposed) {
          multiply.run(thread, small, o.weight, nullptr, patches, rest);
          for_each_run(top, rows, large, patches, [](T* map, T* patch, int64_t n) {
#pragma omp simd
            for (int64_t i = 0; i < n; ++i) map[i] += patch[i];
          });
          continue;
        }
        std::fill_n(patches, rows * width * depth_, T(0));
        for_each_run(top, rows, large, patches,
                     [](T* map, T* patch, int64_t n) { std::copy_n(map, n, patch); });
        if (pass_ == ConvPass::forward) {
          multiply.run(thread, patches, o.weight, o.vector, small, rest);
        } else {
          multiply.run(thread, small, patches, nullptr, partial, rest);
#pragma omp simd
          for (int64_t i = 0; i < p_.weights(); ++i) o.weight[i] += partial[i];
        }
      }
    if (pass_ == ConvPass::weight && o.vector) sum_small(o.small, o.vector);
  }

 private:
  std::unique_ptr<BlockProduct<T>> product(int64_t positions, bool bias) const {
    const int64_t filters = p_.filters;
    switch (pass_) {
      case ConvPass::forward:
        return plain_block<T>({positions, filters, depth_, false, true, depth_, depth_, filters},
                              bias);
      case ConvPass::transposed:
        return plain_block<T>({positions, depth_, filters, false, false, filters, depth_, depth_},
                              false);
      case ConvPass::weight:
        return plain_block<T>({filters, depth_, positions, true, false, filters, depth_, depth_},
                              false);
    }
    throw std::logic_error("conv: pass");
  }

  /// f(in the large map, in the patches, n) for every run of n neighbouring elements of both, over `rows` rows of the
  /// small map from `top` on. Patches are [position, tap, channel].
  template <class F>
  void for_each_run(int64_t top, int64_t rows, T* large, T* patches, const F& f) const {
    const Window& w = p_.window;
    const int64_t channels = p_.channels;
    T* patch = patches;
    for (int64_t p = top; p < top + rows; ++p)
      for (int64_t q = 0; q < w.small[1]; ++q) {
        const int64_t left = q * w.stride[1] - w.before[1];
        const int64_t begin = std::max<int64_t>(0, -left);
        const int64_t end = std::min(w.kernel[1], w.large[1] - left);
        for (int64_t i = 0; i < w.kernel[0]; ++i, patch += w.kernel[1] * channels) {
          const int64_t h = p * w.stride[0] - w.before[0] + i;
          if (h < 0 || h >= w.large[0] || end <= begin) continue;
          f(large + (h * w.large[1] + left + begin) * channels, patch + begin * channels,
            (end - begin) * channels);
        }
      }
  }

  void sum_small(const T* small, T* sums) const {
    std::fill_n(sums, p_.filters, T(0));
    for (int64_t n = 0; n < p_.rows * p_.window.small_area(); ++n)
#pragma omp simd
      for (int64_t o = 0; o < p_.filters; ++o) sums[o] += small[n * p_.filters + o];
  }

  ConvProblem p_;
  ConvPass pass_;
  int64_t depth_, strip_,
      patches_;  ///< elements of a patch, rows of a strip, elements of its patches
  size_t products_bytes_, scratch_ = 0;
  std::unique_ptr<BlockProduct<T>> products_[2];  ///< by whether the strip is the last, shorter one
};

}  // namespace

template <class T>
std::unique_ptr<ConvBlock<T>> plain_conv(const ConvProblem& problem, ConvPass pass, bool vector) {
  if (ends_in_one_channel(problem, pass))
    return one_channel_conv<T>(
        problem, pass, [](const BlockShape& shape) { return plain_block<T>(shape, false); });
  return std::make_unique<PlainConv<T>>(problem, pass, vector);
}
template std::unique_ptr<ConvBlock<float>> plain_conv(const ConvProblem&, ConvPass, bool);
template std::unique_ptr<ConvBlock<double>> plain_conv(const ConvProblem&, ConvPass, bool);

}  // namespace latent
