// Convolutions on the GPU by kernels of our own: the path of builds without cuDNN and of problems that are not for it.
// For .cu files only.
#pragma once

#include "kernels/conv/one_channel_gpu.h"
#include "kernels/conv/tile.h"
#include "kernels/skeleton/reduce_rows.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// Throws where the kernels' 32-bit positions do not reach.
inline void check_own_conv(const ConvProblem& p) {
  const int64_t most = int64_t{1} << 31;
  if (p.rows * std::max(p.window.large_area(), p.window.small_area()) >= most ||
      p.window.taps() * std::max(p.channels, p.filters) >= most)
    throw std::logic_error("conv: 2^31 positions or more");
}

/// The forward or transposed pass: out = epilogue(. (+ bias), i).
template <class Epilogue>
void own_conv(Stream& stream, const ConvProblem& p, ConvPass pass, const float* in,
              const float* weight, const float* bias, float* out, const Epilogue& epilogue) {
  if (!one_channel_on_gpu(p))
    tile_conv(stream, p, pass, in, weight, bias, out, epilogue);
  else if (pass == ConvPass::forward)
    conv_of_one_channel<true>(stream, p, in, weight, bias, out, epilogue);
  else
    conv_of_one_channel<false>(stream, p, in, weight, bias, out, epilogue);
}

/// A weight's gradient has many positions and few tiles. A function of the problem alone.
inline ConvSlices conv_slices(const ConvProblem& p) {
  constexpr int64_t kBlocks = 512, kLeast = 256, kTile = 16;
  const int64_t positions = p.rows * p.window.small_area();
  const int64_t blocks = one_channel_on_gpu(p)
                             ? one_channel_blocks(p)
                             : p.count * fold::ceil_div(p.filters, kTile) *
                                   fold::ceil_div(p.window.taps() * p.channels, kTile);
  const int64_t wanted = std::max<int64_t>(
      1, std::min(fold::ceil_div(kBlocks, std::max<int64_t>(1, blocks)), positions / kLeast));
  const int64_t span =
      fold::ceil_div(fold::ceil_div(std::max<int64_t>(1, positions), wanted), 128) * 128;
  return {span, std::max<int64_t>(1, fold::ceil_div(positions, span))};
}

/// What the slices have: of the weights of all problems and, behind them, of the sums.
struct OfSlice {
  const float *dw, *sums;
  int64_t weights, filters, problems, slices;

  LATENT_HD float operator()(int64_t i, int64_t slice) const {
    const bool of_sums = i >= problems * weights;
    const int64_t width = of_sums ? filters : weights;
    const int64_t own = of_sums ? i - problems * weights : i;
    return (of_sums ? sums : dw)[(own / width * slices + slice) * width + own % width];
  }
};
struct StoreWeightOrSum {
  float *dw, *sums;
  int64_t weights;
  LATENT_HD void operator()(int64_t i, float value) const {
    (i < weights ? dw[i] : sums[i - weights]) = value;
  }
};

/// Bytes that own_conv_weight needs.
inline size_t own_conv_workspace(const ConvProblem& p) {
  const int64_t slices = conv_slices(p).count;
  return slices == 1 ? 0 : sizeof(float) * p.count * slices * (p.weights() + p.filters);
}
inline int own_conv_launches(const ConvProblem& p) { return conv_slices(p).count == 1 ? 1 : 2; }

/// The weight pass; `sums` takes those of small's channels, or is nullptr.
inline void own_conv_weight(Stream& stream, const ConvProblem& p, const float* large,
                            const float* small, float* dw, float* sums, void* workspace) {
  const ConvSlices cut = conv_slices(p);
  const bool one = cut.count == 1;
  float* const partial = one ? dw : static_cast<float*>(workspace);
  float* const partial_sums = one || !sums ? sums : partial + p.count * cut.count * p.weights();
  if (one_channel_on_gpu(p))
    weight_of_one_channel(stream, p, cut, large, small, partial, partial_sums);
  else
    tile_conv_weight(stream, p, cut, large, small, partial, partial_sums);
  if (one) return;
  const int64_t weights = p.count * p.weights(), all = weights + (sums ? p.count * p.filters : 0);
  reduce_rows(stream, all, cut.count, Sum{},
              OfSlice{partial, partial_sums, p.weights(), p.filters, p.count, cut.count},
              StoreWeightOrSum{dw, sums, weights});
}

}  // namespace LATENT_BACKEND
}  // namespace latent
