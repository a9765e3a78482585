// Convolutions on the GPU where one of the two maps has a single channel, as at the ends of an autoencoder, for problems
// that one_channel_on_gpu accepts. A warp's lanes are the channels of the other map, called the units. What each tap
// reads is found once for four positions and then shared through the warp's part of shared memory. For .cu files only.
#pragma once

#include "core/math/math.h"
#include "kernels/conv/taps.h"
#include "kernels/skeleton/fold.h"
#include "kernels/skeleton/launch.h"
#include "kernels/skeleton/unroll.h"

namespace latent {
inline namespace LATENT_BACKEND {

namespace one_channel {

inline constexpr int kWarps = 8, kTogether = 4;

template <class T>
struct alignas(kTogether * sizeof(T)) Four {
  T v[kTogether];
};

LATENT_HD int64_t units(const ConvProblem& p) {
  return p.channels > p.filters ? p.channels : p.filters;
}

/// What a tap reads of the other map: where that has one channel the number, 0 in the padding; else the position where
/// its units lie, -1 in the padding.
template <bool kNumbers>
using Read = std::conditional_t<kNumbers, float, int32_t>;
template <bool kForward, bool kNumbers>
struct Reader {
  const ConvTaps& taps;
  const float* map;
  LATENT_KERNEL Read<kNumbers> operator()(int64_t position, int tap) const {
    const auto from = static_cast<uint32_t>(position), which = static_cast<uint32_t>(tap);
    const int64_t at = kForward ? taps.large_of(from, which) : taps.small_of(from, which);
    if constexpr (kNumbers)
      return at < 0 ? 0 : map[at];
    else
      return static_cast<int32_t>(at);
  }
  static LATENT_KERNEL Read<kNumbers> nothing() { return kNumbers ? 0 : -1; }
};

/// By the warp: read[tap].v[k] = f(position + k, tap), and f.nothing() from `end` on.
template <class T, class F>
LATENT_KERNEL void fill(Thread& t, Four<T>* read, int taps, int64_t position, int64_t end,
                        const F& f) {
  t.sync_warp();
  for (int i = t.lane(); i < kTogether * taps; i += fold::kLanes) {
    const int64_t own = position + i % kTogether;
    read[i / kTogether].v[i % kTogether] = own < end ? f(own, i / kTogether) : f.nothing();
  }
  t.sync_warp();
}

/// By the block: the weights as [taps, units].
LATENT_KERNEL void load_weights(Thread& t, const ConvProblem& p, const float* weight, float* to) {
  const int taps = static_cast<int>(p.window.taps()), many = static_cast<int>(units(p));
  for (int i = t.thread(); i < taps * many; i += t.threads())
    to[i] = p.channels == 1 ? weight[i % many * taps + i / many] : weight[i];
  t.sync();
}

/// How the warps share out the positions of what a pass makes, four at a time.
struct Walk {
  int64_t positions, turns;

  explicit Walk(int64_t n) : positions(n) {
    constexpr int64_t kBlocks = 1024, kMostTurns = 16;
    turns = std::clamp<int64_t>(n / (kBlocks * kWarps * kTogether), 1, kMostTurns);
  }
  Grid grid() const {
    return {.blocks = fold::ceil_div(positions, kWarps * kTogether * turns),
            .threads = fold::kLanes * kWarps};
  }
  LATENT_KERNEL int64_t first(Thread& t, int64_t turn) const {
    return ((t.block() * turns + turn) * kWarps + t.warp()) * kTogether;
  }
};

/// A pass that spreads one channel over units,
///   out [positions, units] = epilogue(sum over taps of in [., 1] weight (+ bias [units]), i),
/// or collects units in one channel,
///   out [positions] = epilogue(sum over taps and units of in [., units] weight (+ bias [1]), i).
template <bool kForward, bool kSpread, class Epilogue>
struct DataPass {
  static constexpr int max_threads = fold::kLanes * kWarps;
  ConvTaps taps;
  Walk walk;
  const float *in, *weight, *bias;
  float* out;
  Epilogue epilogue;

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(float, weights, kMostChannelWeights);
    SHARED(Four<Read<kSpread>>, reads, kWarps * kMostChannelTaps);
    load_weights(t, taps.p, weight, weights);
    Four<Read<kSpread>>* const own = reads + t.warp() * kMostChannelTaps;
    for (int64_t turn = 0; turn < walk.turns; ++turn) {
      const int64_t first = walk.first(t, turn);
      if (first >= walk.positions) return;
      fill(t, own, static_cast<int>(taps.p.window.taps()), first, walk.positions,
           Reader<kForward, kSpread>{taps, in});
      make(t, weights, own, first);
    }
  }

 private:
  LATENT_KERNEL void make(Thread& t, const float* weights, const Four<float>* values,
                          int64_t first) const {
    const int n = static_cast<int>(taps.p.window.taps()), many = static_cast<int>(units(taps.p));
    for (int unit = t.lane(); unit < many; unit += fold::kLanes) {
      const float begin = bias ? bias[unit] : 0.0f;
      Four<float> sum{{begin, begin, begin, begin}};
      for (int tap = 0; tap < n; ++tap) {
        const Four<float> value = values[tap];
        const float w = weights[tap * many + unit];
        LATENT_UNROLL
        for (int k = 0; k < kTogether; ++k) sum.v[k] = math::fma(value.v[k], w, sum.v[k]);
      }
      LATENT_UNROLL
      for (int k = 0; k < kTogether; ++k) {
        const int64_t i = (first + k) * many + unit;
        if (first + k < walk.positions) out[i] = epilogue(sum.v[k], i);
      }
    }
  }

  LATENT_KERNEL void make(Thread& t, const float* weights, const Four<int32_t>* places,
                          int64_t first) const {
    const int n = static_cast<int>(taps.p.window.taps()), many = static_cast<int>(units(taps.p));
    Four<float> sum{};
    for (int unit = t.lane(); unit < many; unit += fold::kLanes)
      for (int tap = 0; tap < n; ++tap) {
        const Four<int32_t> at = places[tap];
        const float w = weights[tap * many + unit];
        LATENT_UNROLL
        for (int k = 0; k < kTogether; ++k)
          if (at.v[k] >= 0)
            sum.v[k] = math::fma(in[static_cast<int64_t>(at.v[k]) * many + unit], w, sum.v[k]);
      }
    LATENT_UNROLL
    for (int k = 0; k < kTogether; ++k) {
      const float whole = fold::gpu_tree<Sum>(t, sum.v[k]);
      if (t.lane() == k && first + k < walk.positions)
        out[first + k] = epilogue(bias ? whole + bias[0] : whole, first + k);
    }
  }
};

/// Of each slice of small's positions, block_y: dw [slices, weights], and the sums of small's channels [slices, filters]
/// unless `sums` is nullptr. A block takes 32 units, the channels of small or of large. kTaps: at least the taps.
template <int kTaps, bool kOfSmall>
struct WeightOfSlice {
  static constexpr int max_threads = fold::kLanes * kWarps;
  ConvTaps taps;
  const float *large, *small;
  float *dw, *sums;
  int64_t span;

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(Four<Read<kOfSmall>>, reads, kWarps * kTaps);
    SHARED(float, partial, (kTaps + 1) * max_threads);
    Four<Read<kOfSmall>>* const own = reads + t.warp() * kTaps;
    const ConvProblem& p = taps.p;
    const int n = static_cast<int>(p.window.taps());
    const int64_t many = units(p), unit = t.block() * fold::kLanes + t.lane();
    const int64_t positions = p.rows * p.window.small_area(), begin = t.block_y() * span;
    const int64_t end = positions < begin + span ? positions : begin + span;
    float sum[kTaps] = {}, total = 0;
    for (int64_t first = begin + t.warp() * kTogether; first < end; first += kWarps * kTogether) {
      fill(t, own, n, first, end, Reader<true, kOfSmall>{taps, large});
      if (unit >= many) continue;
      Four<float> value;
      LATENT_UNROLL
      for (int k = 0; k < kTogether; ++k) {
        value.v[k] = first + k < end ? small[kOfSmall ? (first + k) * many + unit : first + k] : 0;
        total += value.v[k];
      }
      LATENT_UNROLL
      for (int tap = 0; tap < kTaps; ++tap)
        if (tap < n) sum[tap] = add(sum[tap], value, own[tap], unit);
    }
    LATENT_UNROLL
    for (int tap = 0; tap < kTaps; ++tap) partial[tap * max_threads + t.thread()] = sum[tap];
    partial[kTaps * max_threads + t.thread()] = total;
    t.sync();
    if (unit >= many) return;
    for (int tap = t.warp(); tap < n; tap += kWarps)
      dw[t.block_y() * p.weights() + (kOfSmall ? unit * n + tap : tap * many + unit)] =
          of_warps(t, partial + tap * max_threads);
    if (sums && t.warp() == kWarps - 1 && unit < p.filters)
      sums[t.block_y() * p.filters + unit] = of_warps(t, partial + kTaps * max_threads);
  }

 private:
  LATENT_KERNEL float add(float sum, const Four<float>& value, const Four<Read<kOfSmall>>& read,
                          int64_t unit) const {
    LATENT_UNROLL
    for (int k = 0; k < kTogether; ++k) {
      if constexpr (kOfSmall)
        sum = math::fma(value.v[k], read.v[k], sum);
      else if (read.v[k] >= 0)
        sum = math::fma(value.v[k], large[read.v[k] * taps.p.channels + unit], sum);
    }
    return sum;
  }

  /// A lane's values of all warps, added up in order.
  static LATENT_KERNEL float of_warps(Thread& t, const float* partial) {
    float sum = partial[t.lane()];
    for (int warp = 1; warp < kWarps; ++warp) sum += partial[warp * fold::kLanes + t.lane()];
    return sum;
  }
};

}  // namespace one_channel

/// The forward or transposed pass: out = epilogue(. (+ bias), i).
template <bool kForward, class Epilogue>
void conv_of_one_channel(Stream& stream, const ConvProblem& p, const float* in, const float* weight,
                         const float* bias, float* out, const Epilogue& epilogue) {
  const one_channel::Walk walk(p.rows * (kForward ? p.window.small_area() : p.window.large_area()));
  if (walk.positions == 0) return;
  const ConvTaps taps(p);
  if ((kForward ? p.channels : p.filters) == 1)
    launch(stream, walk.grid(),
           one_channel::DataPass<kForward, true, Epilogue>{taps, walk, in, weight, bias, out,
                                                           epilogue});
  else
    launch(stream, walk.grid(),
           one_channel::DataPass<kForward, false, Epilogue>{taps, walk, in, weight, bias, out,
                                                            epilogue});
}

/// Blocks of a slice of the weight pass.
inline int64_t one_channel_blocks(const ConvProblem& p) {
  return fold::ceil_div(one_channel::units(p), fold::kLanes);
}

/// The weight pass over slices, as tile_conv_weight.
inline void weight_of_one_channel(Stream& stream, const ConvProblem& p, const ConvSlices& cut,
                                  const float* large, const float* small, float* dw, float* sums) {
  using namespace one_channel;
  const Grid grid{
      .blocks = one_channel_blocks(p), .threads = fold::kLanes * kWarps, .blocks_y = cut.count};
  const ConvTaps taps(p);
  constexpr int kFew = 9;
  const bool few = p.window.taps() <= kFew;
  if (p.channels == 1 && few)
    launch(stream, grid, WeightOfSlice<kFew, true>{taps, large, small, dw, sums, cut.span});
  else if (p.channels == 1)
    launch(stream, grid,
           WeightOfSlice<kMostChannelTaps, true>{taps, large, small, dw, sums, cut.span});
  else if (few)
    launch(stream, grid, WeightOfSlice<kFew, false>{taps, large, small, dw, sums, cut.span});
  else
    launch(stream, grid,
           WeightOfSlice<kMostChannelTaps, false>{taps, large, small, dw, sums, cut.span});
}

}  // namespace LATENT_BACKEND
}  // namespace latent
