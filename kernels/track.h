// The bookkeeping at the end of a step: sums of the objective's terms, the step counter, and the
// latch that stops everything at the first loss that is not finite.
#pragma once

#include <vector>

#include "core/graph/op.h"
#include "core/train/schedule.h"

namespace latent {

/// (sums f64[2 + T], latch u64[1], step u64[1], [row weights [B]], T terms, each [B] or one value)
/// -> (sums', latch', step'), each of which may take the memory of the old one. All in one launch.
///
/// mean_i is the (weighted) mean over the rows of term i, or its one value; loss is the sum over i
/// of weight_i schedule_i(step) mean_i; count is B or the sum of the row weights. sums' = sums +
/// count [1, loss, mean_0, ...], so that sums[i] / sums[0] are means over examples. step' = step +
/// 1. Where loss is not finite: latch' = step + 1, the sums stay. Where latch is not 0, everything
/// does. Terms and row weights are f32 or f64; it has no gradient.
struct Track {
  static constexpr const char* name = "track";
  static constexpr int kMaxTerms = 32;
  struct Term {
    float weight = 1;
    Schedule schedule = {};
    bool operator==(const Term&) const = default;
  };
  std::vector<Term> terms;
  bool weighted = false;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  int overwrites(int output) const { return output; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 2); }
  bool operator==(const Track&) const = default;
};

}  // namespace latent
