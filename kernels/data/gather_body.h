// What the gathers share: which rows make a batch, and their values as they lie there, scaled and
// binarized.
#pragma once

#include <algorithm>

#include "core/random/order.h"
#include "kernels/data/gather.h"
#include "kernels/data/stored.h"
#include "kernels/skeleton/skeleton.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// Which row of the data set is row i of the batch.
struct BatchRows {
  uint64_t batch, rows, epoch;  // epoch: positions in one
  bool shuffle, sequential;

  explicit BatchRows(const Gather& g)
      : batch(static_cast<uint64_t>(g.batch)),
        rows(static_cast<uint64_t>(g.rows)),
        epoch(g.tail == Gather::Tail::drop ? rows / batch * batch : rows),
        shuffle(g.shuffle),
        sequential(g.sequential) {}

  LATENT_HD uint64_t position(uint64_t step, int64_t i) const {
    return step * batch + static_cast<uint64_t>(i);
  }
  LATENT_HD int64_t operator()(uint64_t seed, uint64_t step, int64_t i) const {
    const uint64_t p = position(step, i);
    if (sequential) return static_cast<int64_t>(p < rows ? p : rows - 1);
    const uint64_t e = p / epoch, q = p - e * epoch;
    return static_cast<int64_t>(shuffle ? EpochOrder(seed, e, rows)(q) : q);
  }
};

template <class S>
struct GatherBody {
  const uint64_t *seed, *step;
  const float *shift, *scale;
  int shift_stride, scale_stride;  // 0: one value for all columns
  float* out;
  int64_t cols, rows_per_block;
  BatchRows rows;
  Gather::Binarize binarize;
  uint64_t stream;
  const S* block[Gather::kMaxBlocks];

  LATENT_HD int64_t source(int64_t i) const { return rows(*seed, *step, i); }
  LATENT_HD const S* row(int64_t r) const {
    return block[r / rows_per_block] + r % rows_per_block * cols;
  }
  LATENT_HD int64_t quads() const { return (cols + 3) / 4; }

  /// Value of column c, scaled, and with its random word made 0 or 1; a NaN stays one.
  LATENT_HD float value(S stored, int64_t c, uint32_t word) const {
    const float v = (value_of(stored) - shift[c * shift_stride]) * scale[c * scale_stride];
    if (binarize == Gather::Binarize::none) return v;
    const float bound = binarize == Gather::Binarize::threshold ? 0.5f : uniform_of(word);
    return math::select(v == v, math::select(v > bound, 1.0f, 0.0f), v);
  }

  /// The words of columns 4 q to 4 q + 3; each row begins a new block of four.
  LATENT_HD Words4 words(int64_t i, int64_t r, int64_t q) const {
    const bool fixed = binarize == Gather::Binarize::fixed;
    if (!fixed && binarize != Gather::Binarize::dynamic) return {};
    const int64_t at = (fixed ? r : i) * quads() + q;
    return random_words4(*seed, fixed ? 0 : *step, stream, static_cast<uint64_t>(at));
  }

  struct alignas(16) Four {
    float v[4];
  };
  /// Columns 4 q to 4 q + 3 of row i, whose source is row r; beyond the end: 0.
  LATENT_HD Four read(int64_t i, int64_t r, int64_t q) const {
    struct alignas(4 * sizeof(S)) Stored4 {
      S v[4];
    };
    const Words4 w = words(i, r, q);
    const S* from = row(r) + 4 * q;
    Four result = {};
    if (cols % 4 == 0) {
      const Stored4 stored = *reinterpret_cast<const Stored4*>(from);
      for (int k = 0; k < 4; ++k) result.v[k] = value(stored.v[k], 4 * q + k, w.v[k]);
    } else {
      for (int k = 0; k < 4; ++k)
        if (4 * q + k < cols) result.v[k] = value(from[k], 4 * q + k, w.v[k]);
    }
    return result;
  }
  LATENT_HD void write(float* array, int64_t i, int64_t q, const Four& four) const {
    float* to = array + i * cols + 4 * q;
    if (cols % 4 == 0) {
      *reinterpret_cast<Four*>(to) = four;
    } else {
      for (int k = 0; k < 4; ++k)
        if (4 * q + k < cols) to[k] = four.v[k];
    }
  }

  template <int ShiftStride, int ScaleStride>
  LATENT_CPU_BODY void plain_row(const S* from, float* to) const {
    const float first_shift = shift[0], first_scale = scale[0];
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c)
      to[c] = (value_of(from[c]) - (ShiftStride ? shift[c] : first_shift)) *
              (ScaleStride ? scale[c] : first_scale);
  }

  /// Row i of `out`, whose source is row r.
  LATENT_CPU_BODY void cpu_row(int64_t i, int64_t r) const {
    const S* from = row(r);
    float* to = out + i * cols;
    if (binarize != Gather::Binarize::none) {
      for (int64_t q = 0; q < quads(); ++q) write(out, i, q, read(i, r, q));
    } else if (shift_stride) {
      scale_stride ? plain_row<1, 1>(from, to) : plain_row<1, 0>(from, to);
    } else {
      scale_stride ? plain_row<0, 1>(from, to) : plain_row<0, 0>(from, to);
    }
  }
};

/// Rows of a task on the CPU, and how many are asked for before the first of them is read.
inline constexpr int64_t kGatherRows = 32, kGatherAhead = 4;

/// Calls row(i, r) for the rows i of a task and their sources r, which lie far apart.
template <class S, class F>
LATENT_CPU_BODY void cpu_rows(const GatherBody<S>& g, int64_t task, int64_t batch, const F& row) {
  constexpr int64_t kLine = 64 / sizeof(S);
  const int64_t begin = task * kGatherRows, count = std::min(kGatherRows, batch - begin);
  int64_t source[kGatherRows + kGatherAhead];
  for (int64_t k = 0; k < count + kGatherAhead; ++k) {
    if (k < count) {
      source[k] = g.source(begin + k);
      const S* from = g.row(source[k]);
      for (int64_t c = 0; c < std::min<int64_t>(g.cols, 64 * kLine); c += kLine)
        __builtin_prefetch(from + c);
    }
    if (k >= kGatherAhead) row(begin + k - kGatherAhead, source[k - kGatherAhead]);
  }
}

/// What of a gather is known when it is prepared.
struct GatherPlan {
  Gather op;
  int64_t cols;
  size_t blocks;
  bool shifts, scales;  ///< one a column

  GatherPlan(const Gather& gather, const Signature& s)
      : op(gather),
        cols(s.out[0].elements() / gather.batch),
        blocks(s.in.size() - 4),
        shifts(s.in[2].elements() > 1),
        scales(s.in[3].elements() > 1) {}

  template <class S>
  GatherBody<S> body(const Args& a) const {
    GatherBody<S> body{.seed = a.input<uint64_t>(0),
                       .step = a.input<uint64_t>(1),
                       .shift = a.input<float>(2),
                       .scale = a.input<float>(3),
                       .shift_stride = shifts,
                       .scale_stride = scales,
                       .out = a.output<float>(0),
                       .cols = cols,
                       .rows_per_block = op.rows_per_block,
                       .rows = BatchRows(op),
                       .binarize = op.binarize,
                       .stream = op.stream,
                       .block = {}};
    for (size_t k = 0; k < blocks; ++k) body.block[k] = a.input<S>(static_cast<int>(4 + k));
    return body;
  }

  /// A block a row.
  Grid grid() const {
    const int64_t warps = std::clamp<int64_t>(fold::ceil_div(cols, 4 * 32), 1, 8);
    return {.blocks = op.batch, .threads = static_cast<int>(32 * warps)};
  }
  int64_t tasks() const { return fold::ceil_div(op.batch, kGatherRows); }
};

/// make(S{}) for the type S that the blocks are stored in.
template <class F>
Kernel stored_kernel(DType stored, const F& make) {
  switch (stored) {
    case DType::u8:
      return make(uint8_t{});
    case DType::f16:
      return make(Half{});
    case DType::bf16:
      return make(Bfloat{});
    default:
      return make(float{});
  }
}

}  // namespace LATENT_BACKEND
}  // namespace latent
