// Entries that are corrupted as they are read.
#pragma once

#include "kernels/data/corrupt_body.h"
#include "kernels/sparse/csr.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// At one step. What is drawn is that of the element (row, column) of the batch.
template <class T>
struct CorruptedEntriesNow : CsrEntries<T> {
  uint64_t seed, step;
  bool fixed;
  int64_t width;
  int count;
  float amount[CorruptedGather::kMaxCorruptions];
  T kept[CorruptedGather::kMaxCorruptions];
  uint64_t stream[CorruptedGather::kMaxCorruptions];

  LATENT_HD T value(int64_t r, int64_t k) const {
    T v = this->values[k];
    const int64_t column = this->columns[k];
    const int64_t row = fixed ? static_cast<int64_t>(this->ids[r]) : r;
    const auto element = static_cast<uint64_t>(4 * first_corruption_block(row, width) + column);
    for (int i = 0; i < count; ++i)
      v = bernoulli(seed, step, stream[i], element, amount[i]) ? T(0) : v * kept[i];
    return v;
  }
};

template <class T>
struct CorruptedEntries : CsrEntries<T> {
  const uint64_t *seed, *step;
  bool fixed;
  int64_t width;  ///< columns of a row
  int count;
  Corruption corruption[CorruptedGather::kMaxCorruptions];

  /// Seed and step are the last two inputs.
  CorruptedEntries(const Args& a, const CsrNoise& noise, int64_t row_width)
      : CsrEntries<T>(a, 0),
        seed(a.input<uint64_t>(static_cast<int>(a.in.size()) - 2)),
        step(a.input<uint64_t>(static_cast<int>(a.in.size()) - 1)),
        fixed(noise.fixed),
        width(row_width),
        count(static_cast<int>(noise.corruptions.size())) {
    std::ranges::copy(noise.corruptions, corruption);
  }

  LATENT_HD CorruptedEntriesNow<T> now() const {
    CorruptedEntriesNow<T> x{*this, *seed, fixed ? 0 : *step, fixed, width, count, {}, {}, {}};
    for (int i = 0; i < count; ++i) {
      const Corruption& c = corruption[i];
      const CorruptionNow now(c, fixed ? c.amount : amount_at(c, static_cast<int64_t>(x.step)));
      x.amount[i] = now.amount;
      x.kept[i] = now.kept;
      x.stream[i] = c.stream;
    }
    return x;
  }
};

/// run(entries): those of an op's inputs, corrupted or as they are.
template <class T, class F>
void with_entries(const Args& a, const CsrNoise& noise, int64_t width, const F& run) {
  if (noise)
    run(CorruptedEntries<T>(a, noise, width));
  else
    run(CsrEntries<T>(a, 0));
}

}  // namespace LATENT_BACKEND
}  // namespace latent
