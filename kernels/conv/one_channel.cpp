// Convolutions at the ends of a network where a map has one channel. Libraries pad it to many; here the other map is one
// side of a product with the kernel's taps on the other, and only single numbers are moved from position to position.
#include <algorithm>

#include "kernels/conv/block.h"

namespace latent {
namespace {

/// The passes that add up channels, (large, one filter) -> small and (small, weight of one channel) -> large, and the
/// gradient in the weight of one filter.
template <class T>
class OneChannel final : public ConvBlock<T> {
 public:
  OneChannel(const ConvProblem& problem, ConvPass pass, const MakeProduct<T>& make)
      : p_(problem), pass_(pass), taps_(p_.window.taps()) {
    const Window& w = p_.window;
    const int64_t large = w.large_area(), channels = p_.channels;
    positions_ = pass == ConvPass::transposed ? w.small_area() : large;
    if (pass == ConvPass::forward)
      product_ = make({large, taps_, channels, false, true, channels, channels, taps_});
    else if (pass == ConvPass::transposed)
      product_ = make({positions_, taps_, p_.filters, false, false, p_.filters, taps_, taps_});
    else
      product_ = make({taps_, channels, large, true, false, taps_, channels, channels});
    const int64_t values = positions_ * taps_ + (pass == ConvPass::weight ? p_.weights() : 0);
    own_bytes_ = (values * sizeof(T) + 63) / 64 * 64;
  }

  size_t scratch() const override { return own_bytes_ + product_->scratch(); }

  void run(int thread, const ConvOperands<T>& o, void* scratch) const override {
    T* const of_taps = static_cast<T*>(scratch);  // [positions, taps]
    T* const partial = of_taps + positions_ * taps_;
    void* const rest = static_cast<char*>(scratch) + own_bytes_;
    if (pass_ == ConvPass::weight) std::fill_n(o.weight, p_.weights(), T(0));
    T sum = 0;
    for (int64_t n = 0; n < p_.rows; ++n) {
      T* const large = o.large + n * p_.large_row();
      T* const small = o.small + n * p_.small_row();
      if (pass_ == ConvPass::forward) {
        product_->run(thread, large, o.weight, nullptr, of_taps, rest);
        std::fill_n(small, p_.small_row(), o.vector ? o.vector[0] : T(0));
        for_each_tap([&](int64_t in_small, int64_t in_large, int64_t tap) {
          small[in_small] += of_taps[in_large * taps_ + tap];
        });
      } else if (pass_ == ConvPass::transposed) {
        product_->run(thread, small, o.weight, nullptr, of_taps, rest);
        std::fill_n(large, p_.large_row(), T(0));
        for_each_tap([&](int64_t in_small, int64_t in_large, int64_t tap) {
          large[in_large] += of_taps[in_small * taps_ + tap];
        });
      } else {
        std::fill_n(of_taps, positions_ * taps_, T(0));
        for_each_tap([&](int64_t in_small, int64_t in_large, int64_t tap) {
          of_taps[in_large * taps_ + tap] = small[in_small];
        });
        product_->run(thread, of_taps, large, nullptr, partial, rest);
        for (int64_t i = 0; i < p_.weights(); ++i) o.weight[i] += partial[i];
        for (int64_t i = 0; i < p_.small_row(); ++i) sum += small[i];
      }
    }
    if (pass_ == ConvPass::weight && o.vector) o.vector[0] = sum;
  }

 private:
  /// f(position in the small map, in the large one, tap) for every tap that lies inside, in a fixed order.
  template <class F>
  void for_each_tap(const F& f) const {
    const Window& w = p_.window;
    for (int64_t y = 0; y < w.small[0]; ++y)
      for (int64_t i = 0; i < w.kernel[0]; ++i) {
        const int64_t h = y * w.stride[0] - w.before[0] + i;
        if (h < 0 || h >= w.large[0]) continue;
        for (int64_t j = 0; j < w.kernel[1]; ++j) {
          const int64_t shift = j - w.before[1], stride = w.stride[1];
          const int64_t begin = shift < 0 ? (-shift + stride - 1) / stride : 0;
          const int64_t end = std::min(w.small[1], (w.large[1] - shift + stride - 1) / stride);
          const int64_t tap = i * w.kernel[1] + j, first = h * w.large[1] + shift;
          for (int64_t x = begin; x < end; ++x) f(y * w.small[1] + x, first + x * stride, tap);
        }
      }
  }

  ConvProblem p_;
  ConvPass pass_;
  int64_t taps_, positions_;
  size_t own_bytes_;
  std::unique_ptr<BlockProduct<T>> product_;
};

}  // namespace

template <class T>
std::unique_ptr<ConvBlock<T>> one_channel_conv(const ConvProblem& problem, ConvPass pass,
                                               const MakeProduct<T>& make) {
  return std::make_unique<OneChannel<T>>(problem, pass, make);
}
template std::unique_ptr<ConvBlock<float>> one_channel_conv(const ConvProblem&, ConvPass,
                                                            const MakeProduct<float>&);
template std::unique_ptr<ConvBlock<double>> one_channel_conv(const ConvProblem&, ConvPass,
                                                             const MakeProduct<double>&);

}  // namespace latent
