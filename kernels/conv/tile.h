// Convolutions on the GPU by our own product kernel: its operands are maps, seen through a window. The path of builds
// without cuDNN and of problems that it refuses. For .cu files only.
#pragma once

#include "kernels/conv/divisor.h"
#include "kernels/conv/problem.h"
#include "kernels/matmul/tile.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// What the sides of every pass need.
struct ConvShape {
  ConvProblem p;
  Divisor channels, filters, kernel_width, taps;
  Divisor large_width, large_height, small_width, small_height, stride[2];

  explicit ConvShape(const ConvProblem& problem)
      : p(problem),
        channels(p.channels),
        filters(p.filters),
        kernel_width(p.window.kernel[1]),
        taps(p.window.taps()),
        large_width(p.window.large[1]),
        large_height(p.window.large[0]),
        small_width(p.window.small[1]),
        small_height(p.window.small[0]),
        stride{Divisor(p.window.stride[0]), Divisor(p.window.stride[1])} {}

  /// The element of the large map that tap (tap, channel) of small position (row, y, x) reads; 0 in the padding.
  LATENT_HD float patch(const float* large, uint32_t position, uint32_t tap) const {
    const Window& w = p.window;
    const uint32_t channel = channels.split(tap), j = kernel_width.split(tap);
    const uint32_t x = small_width.split(position), y = small_height.split(position);
    const int64_t h = y * w.stride[0] - w.before[0] + tap;
    const int64_t v = x * w.stride[1] - w.before[1] + j;
    if (h < 0 || h >= w.large[0] || v < 0 || v >= w.large[1]) return 0;
    return large[((position * w.large[0] + h) * w.large[1] + v) * p.channels + channel];
  }

  /// The element (filter) of the small map whose tap reads large position (row, y, x); 0 where there is none.
  LATENT_HD float stop(const float* small, uint32_t position, uint32_t tap, uint32_t filter) const {
    const Window& w = p.window;
    const uint32_t j = kernel_width.split(tap);
    const uint32_t x = large_width.split(position), y = large_height.split(position);
    const int64_t h = y + w.before[0] - tap, v = x + w.before[1] - j;
    if (h < 0 || v < 0) return 0;
    auto top = static_cast<uint32_t>(h), left = static_cast<uint32_t>(v);
    if (stride[0].split(top) != 0 || stride[1].split(left) != 0) return 0;
    if (top >= w.small[0] || left >= w.small[1]) return 0;
    return small[((position * w.small[0] + top) * w.small[1] + left) * p.filters + filter];
  }
};

/// small [rows positions, filters] = patches [., taps channels] weight^T
struct ForwardSides {
  ConvShape shape;
  const float *large, *weight;

  struct Patches {
    const ConvShape& shape;
    const float* large;
    LATENT_KERNEL float at(int64_t row, int64_t k) const {
      return shape.patch(large, static_cast<uint32_t>(row), static_cast<uint32_t>(k));
    }
    LATENT_KERNEL bool k_first() const { return true; }
  };
  LATENT_HD int64_t m() const { return shape.p.rows * shape.p.window.small_area(); }
  LATENT_HD int64_t n() const { return shape.p.filters; }
  LATENT_HD int64_t depth() const { return shape.p.window.taps() * shape.p.channels; }
  LATENT_HD int64_t count() const { return shape.p.count; }
  LATENT_KERNEL Patches side_a(int64_t i) const {
    return {shape, large + shape.p.batch.a(i) * shape.p.rows * shape.p.large_row()};
  }
  LATENT_KERNEL MatrixSides::Side side_b(int64_t i) const {
    return {weight + shape.p.batch.b(i) * shape.p.weights(), depth(), 1};
  }
};

/// large [rows positions, channels] = stops [., taps filters] weight
struct TransposedSides {
  ConvShape shape;
  const float *small, *weight;

  struct Stops {
    const ConvShape& shape;
    const float* small;
    LATENT_KERNEL float at(int64_t row, int64_t k) const {
      auto tap = static_cast<uint32_t>(k);
      const uint32_t filter = shape.filters.split(tap);
      return shape.stop(small, static_cast<uint32_t>(row), tap, filter);
    }
    LATENT_KERNEL bool k_first() const { return true; }
  };
  struct Weights {
    const ConvShape& shape;
    const float* weight;
    LATENT_KERNEL float at(int64_t channel, int64_t k) const {
      auto tap = static_cast<uint32_t>(k);
      const uint32_t filter = shape.filters.split(tap);
      return weight[(filter * shape.p.window.taps() + tap) * shape.p.channels + channel];
    }
    LATENT_KERNEL bool k_first() const { return false; }
  };
  LATENT_HD int64_t m() const { return shape.p.rows * shape.p.window.large_area(); }
  LATENT_HD int64_t n() const { return shape.p.channels; }
  LATENT_HD int64_t depth() const { return shape.p.window.taps() * shape.p.filters; }
  LATENT_HD int64_t count() const { return shape.p.count; }
  LATENT_KERNEL Stops side_a(int64_t i) const {
    return {shape, small + shape.p.batch.a(i) * shape.p.rows * shape.p.small_row()};
  }
  LATENT_KERNEL Weights side_b(int64_t i) const {
    return {shape, weight + shape.p.batch.b(i) * shape.p.weights()};
  }
};

/// weight [filters, taps channels] = small^T patches, over a slice of `span` positions; `slices` products a problem.
struct WeightSides {
  ConvShape shape;
  const float *large, *small;
  int64_t span, slices;

  struct Small {
    const float* small;
    int64_t filters, rest;  ///< positions that are left
    LATENT_KERNEL float at(int64_t filter, int64_t k) const {
      return k < rest ? small[k * filters + filter] : 0.0f;
    }
    LATENT_KERNEL bool k_first() const { return false; }
  };
  struct Patches {
    const ConvShape& shape;
    const float* large;
    int64_t first, rest;
    LATENT_KERNEL float at(int64_t tap, int64_t k) const {
      return k < rest
                 ? shape.patch(large, static_cast<uint32_t>(first + k), static_cast<uint32_t>(tap))
                 : 0.0f;
    }
    LATENT_KERNEL bool k_first() const { return false; }
  };
  LATENT_HD int64_t positions() const { return shape.p.rows * shape.p.window.small_area(); }
  LATENT_HD int64_t m() const { return shape.p.filters; }
  LATENT_HD int64_t n() const { return shape.p.window.taps() * shape.p.channels; }
  LATENT_HD int64_t depth() const { return span; }
  LATENT_HD int64_t count() const { return shape.p.count * slices; }
  LATENT_KERNEL Small side_a(int64_t i) const {
    const int64_t first = i % slices * span;
    const float* of = small + shape.p.batch.b(i / slices) * shape.p.rows * shape.p.small_row();
    return {of + first * shape.p.filters, shape.p.filters, positions() - first};
  }
  LATENT_KERNEL Patches side_b(int64_t i) const {
    const int64_t first = i % slices * span;
    const float* of = large + shape.p.batch.a(i / slices) * shape.p.rows * shape.p.large_row();
    return {shape, of, first, positions() - first};
  }
};

/// The second launch of a weight's gradient: adds up slices, of the weights and behind them of the sums.
struct AddSlices {
  const float *partial, *partial_sums;
  float *dw, *sums;
  int64_t weights, filters, problems, slices;

  LATENT_HD static float add(const float* first, int64_t slices, int64_t stride) {
    float sum = first[0];
    for (int64_t s = 1; s < slices; ++s) sum += first[s * stride];
    return sum;
  }
  LATENT_HD void operator()(int64_t i) const {
    const int64_t of_weights = problems * weights;
    if (i < of_weights) {
      dw[i] = add(partial + i / weights * slices * weights + i % weights, slices, weights);
    } else {
      const int64_t f = i - of_weights;
      sums[f] = add(partial_sums + f / filters * slices * filters + f % filters, slices, filters);
    }
  }
};

/// Slices of a weight's gradient: its positions are many and its tiles few. A function of the problem alone.
struct ConvSlices {
  int64_t span, slices;
  explicit ConvSlices(const ConvProblem& p) {
    constexpr int64_t kBlocks = 512, kLeast = 256, kTile = 16;
    const int64_t positions = p.rows * p.window.small_area();
    const int64_t tiles = p.count * fold::ceil_div(p.filters, kTile) *
                          fold::ceil_div(p.window.taps() * p.channels, kTile);
    const int64_t wanted = std::max<int64_t>(
        1, std::min(fold::ceil_div(kBlocks, std::max<int64_t>(1, tiles)), positions / kLeast));
    span = fold::ceil_div(fold::ceil_div(std::max<int64_t>(1, positions), wanted), 128) * 128;
    slices = std::max<int64_t>(1, fold::ceil_div(positions, span));
  }
};

/// Throws where the kernels' 32-bit positions do not reach.
inline void check_tile_conv(const ConvProblem& p) {
  const int64_t most = int64_t{1} << 31;
  if (p.rows * std::max(p.window.large_area(), p.window.small_area()) >= most ||
      p.window.taps() * std::max(p.channels, p.filters) >= most)
    throw std::logic_error("conv: 2^31 positions or more");
}

/// The forward or transposed pass: out = epilogue(. (+ bias), i).
template <class Epilogue>
void tile_conv(Stream& stream, const ConvProblem& problem, ConvPass pass, const float* in,
               const float* weight, const float* bias, float* out, const Epilogue& epilogue) {
  const ConvShape shape(problem);
  if (pass == ConvPass::forward)
    return tile_sides(stream, ForwardSides{shape, in, weight}, bias, out, epilogue);
  tile_sides(stream, TransposedSides{shape, in, weight}, bias, out, epilogue);
}

/// Bytes that tile_conv_weight needs.
inline size_t tile_conv_workspace(const ConvProblem& p) {
  const int64_t slices = ConvSlices(p).slices;
  return slices == 1 ? 0 : sizeof(float) * p.count * slices * (p.weights() + p.filters);
}
inline int tile_conv_launches(const ConvProblem& p) { return ConvSlices(p).slices == 1 ? 1 : 2; }

struct AsItIs {
  LATENT_HD float operator()(float value, int64_t) const { return value; }
};

/// The weight pass; `sums` takes those of small's channels, or is nullptr.
inline void tile_conv_weight(Stream& stream, const ConvProblem& p, const float* large,
                             const float* small, float* dw, float* sums, void* workspace) {
  const ConvSlices cut(p);
  const bool one = cut.slices == 1;
  float* const partial = static_cast<float*>(workspace);
  float* const partial_sums = partial + p.count * cut.slices * p.weights();
  const WeightSides sides{ConvShape(p), large, small, cut.span, cut.slices};
  if (sums)
    tile_sides<Sums::rows_of_a>(stream, sides, nullptr, one ? dw : partial, AsItIs{},
                                one ? sums : partial_sums);
  else
    tile_sides(stream, sides, nullptr, one ? dw : partial, AsItIs{});
  if (one) return;
  for_each(stream, p.count * (p.weights() + (sums ? p.filters : 0)),
           AddSlices{partial, partial_sums, dw, sums, p.weights(), p.filters, p.count, cut.slices});
}

}  // namespace LATENT_BACKEND
}  // namespace latent
