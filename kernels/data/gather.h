// A batch of examples out of the data set as it lies on the device.
#pragma once

#include <vector>

#include "core/graph/op.h"
#include "core/random/philox.h"

namespace latent {

/// (seed u64[1], step u64[1], shift, scale, blocks...) -> x f32[batch, d...] = (value - shift)
/// scale.
///
/// step counts the steps done before this one. shift and scale are f32, of one element or one a
/// column. The data set's `rows` lie in blocks [rows_per_block or the rest, d...] of u8, f32, f16
/// or bf16. Training: row i of step t is position p = t batch + i of an endless stream; an epoch
/// has n = `rows` positions, or with Tail::drop n = floor(rows / batch) batch; the example is
/// EpochOrder(seed, p / n, rows)(p mod n), or p mod n without `shuffle`. Evaluation (`sequential`):
/// the example is p, and the last one over again behind the end.
struct Gather {
  static constexpr const char* name = "gather";
  static constexpr int kMaxBlocks = 256;
  enum class Tail { wrap, drop };
  /// What becomes of a value v after scaling. threshold: v > 0.5. dynamic, fixed: 1 with
  /// probability v, drawn anew at each presentation, or once an example.
  enum class Binarize { none, threshold, dynamic, fixed };

  int64_t batch = 1;
  int64_t rows = 1;
  int64_t rows_per_block = 1;
  bool shuffle = true;
  Tail tail = Tail::wrap;
  bool sequential = false;
  Binarize binarize = Binarize::none;
  uint64_t stream = stream_of("binarize");  ///< of the draws

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  Cost cost(const Signature& s) const;
  bool operator==(const Gather&) const = default;
};

/// (seed u64[1], step u64[1]) -> i32[batch]: the rows of the data set that `gather` makes a batch of.
struct GatherIds {
  static constexpr const char* name = "gather.ids";
  Gather gather;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 100); }
  bool operator==(const GatherIds&) const = default;
};

/// step u64[1] -> f32[batch]: in evaluation, 1 for a row of the data set and 0 for one behind its
/// end.
struct RowWeights {
  static constexpr const char* name = "row_weights";
  int64_t batch = 1;
  int64_t rows = 1;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 1); }
  bool operator==(const RowWeights&) const = default;
};

}  // namespace latent
