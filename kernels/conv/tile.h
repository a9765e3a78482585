// Convolutions on the GPU by our own product kernel: its operands are maps, seen through a window. For .cu files only.
#pragma once

#include "kernels/conv/taps.h"
#include "kernels/matmul/tile.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// small [rows positions, filters] = patches [., taps channels] weight^T
struct ForwardSides {
  ConvTaps taps;
  const float *large, *weight;

  struct Patches {
    const ConvTaps& taps;
    const float* large;
    LATENT_KERNEL float at(int64_t row, int64_t k) const {
      return taps.patch(large, static_cast<uint32_t>(row), static_cast<uint32_t>(k));
    }
    LATENT_KERNEL bool k_first() const { return true; }
  };
  LATENT_HD int64_t m() const { return taps.p.rows * taps.p.window.small_area(); }
  LATENT_HD int64_t n() const { return taps.p.filters; }
  LATENT_HD int64_t depth() const { return taps.p.window.taps() * taps.p.channels; }
  LATENT_HD int64_t count() const { return taps.p.count; }
  LATENT_KERNEL Patches side_a(int64_t i) const {
    return {taps, large + taps.p.batch.a(i) * taps.p.rows * taps.p.large_row()};
  }
  LATENT_KERNEL MatrixSides::Side side_b(int64_t i) const {
    return {weight + taps.p.batch.b(i) * taps.p.weights(), depth(), 1};
  }
};

/// large [rows positions, channels] = stops [., taps filters] weight
struct TransposedSides {
  ConvTaps taps;
  const float *small, *weight;

  struct Stops {
    const ConvTaps& taps;
    const float* small;
    LATENT_KERNEL float at(int64_t row, int64_t k) const {
      auto tap = static_cast<uint32_t>(k);
      const uint32_t filter = taps.filters.split(tap);
      return taps.stop(small, static_cast<uint32_t>(row), tap, filter);
    }
    LATENT_KERNEL bool k_first() const { return true; }
  };
  struct Weights {
    const ConvTaps& taps;
    const float* weight;
    LATENT_KERNEL float at(int64_t channel, int64_t k) const {
      auto tap = static_cast<uint32_t>(k);
      const uint32_t filter = taps.filters.split(tap);
      return weight[(filter * taps.p.window.taps() + tap) * taps.p.channels + channel];
    }
    LATENT_KERNEL bool k_first() const { return false; }
  };
  LATENT_HD int64_t m() const { return taps.p.rows * taps.p.window.large_area(); }
  LATENT_HD int64_t n() const { return taps.p.channels; }
  LATENT_HD int64_t depth() const { return taps.p.window.taps() * taps.p.filters; }
  LATENT_HD int64_t count() const { return taps.p.count; }
  LATENT_KERNEL Stops side_a(int64_t i) const {
    return {taps, small + taps.p.batch.a(i) * taps.p.rows * taps.p.small_row()};
  }
  LATENT_KERNEL Weights side_b(int64_t i) const {
    return {taps, weight + taps.p.batch.b(i) * taps.p.weights()};
  }
};

/// weight [filters, taps channels] = small^T patches, over a slice of `span` positions; `slices` products a problem.
struct WeightSides {
  ConvTaps taps;
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
    const ConvTaps& taps;
    const float* large;
    int64_t first, rest;
    LATENT_KERNEL float at(int64_t tap, int64_t k) const {
      return k < rest
                 ? taps.patch(large, static_cast<uint32_t>(first + k), static_cast<uint32_t>(tap))
                 : 0.0f;
    }
    LATENT_KERNEL bool k_first() const { return false; }
  };
  LATENT_HD int64_t positions() const { return taps.p.rows * taps.p.window.small_area(); }
  LATENT_HD int64_t m() const { return taps.p.filters; }
  LATENT_HD int64_t n() const { return taps.p.window.taps() * taps.p.channels; }
  LATENT_HD int64_t depth() const { return span; }
  LATENT_HD int64_t count() const { return taps.p.count * slices; }
  LATENT_KERNEL Small side_a(int64_t i) const {
    const int64_t first = i % slices * span;
    const float* of = small + taps.p.batch.b(i / slices) * taps.p.rows * taps.p.small_row();
    return {of + first * taps.p.filters, taps.p.filters, positions() - first};
  }
  LATENT_KERNEL Patches side_b(int64_t i) const {
    const int64_t first = i % slices * span;
    const float* of = large + taps.p.batch.a(i / slices) * taps.p.rows * taps.p.large_row();
    return {taps, of, first, positions() - first};
  }
};

/// The forward or transposed pass: out = epilogue(. (+ bias), i).
template <class Epilogue>
void tile_conv(Stream& stream, const ConvProblem& problem, ConvPass pass, const float* in,
               const float* weight, const float* bias, float* out, const Epilogue& epilogue) {
  const ConvTaps taps(problem);
  if (pass == ConvPass::forward)
    return tile_sides(stream, ForwardSides{taps, in, weight}, bias, out, epilogue);
  tile_sides(stream, TransposedSides{taps, in, weight}, bias, out, epilogue);
}

struct AsItIs {
  LATENT_HD float operator()(float value, int64_t) const { return value; }
};

/// The weight pass over slices: each one's gradient into `dw` [count, slices, weights], and the sums of small's channels
/// into `sums` [count, slices, filters], unless it is nullptr.
inline void tile_conv_weight(Stream& stream, const ConvProblem& p, const ConvSlices& cut,
                             const float* large, const float* small, float* dw, float* sums) {
  const WeightSides sides{ConvTaps(p), large, small, cut.span, cut.count};
  if (sums)
    tile_sides<Sums::rows_of_a>(stream, sides, nullptr, dw, AsItIs{}, sums);
  else
    tile_sides(stream, sides, nullptr, dw, AsItIs{});
}

}  // namespace LATENT_BACKEND
}  // namespace latent
