// A batch on the device: a few named arrays gathered by one row index.
#pragma once

#include <optional>
#include <string>

#include "models/corruption.h"
#include "models/model.h"

namespace latent {

/// Names of variables that are not parameters.
namespace names {
inline constexpr const char* kSeed = "seed";
inline constexpr const char* kShift = "data.shift";
inline constexpr const char* kScale = "data.scale";
inline constexpr const char* kTargetShift = "data.target.shift";
inline constexpr const char* kTargetScale = "data.target.scale";
}  // namespace names

/// What the output must match, where it is not the rows: as many, in blocks "data.train.target.0", ..., or entries.
struct TargetSource {
  DType stored = DType::u8;
  int64_t rows_per_block = 0;
  int64_t scale_size = 1;
  bool masked = false;
  std::optional<int64_t> entries = {};
};

/// A split as it lies on the device: blocks of rows as stored, scaled as they are gathered.
struct SplitSource {
  std::string name;  ///< "train"; blocks are "data.train.0", ...
  DType stored = DType::u8;
  int64_t rows = 0;
  int64_t rows_per_block = 0;
  int64_t scale_size = 1;  ///< elements of shift and scale: 1, or one a feature
  /// Values become 0 or 1, drawn with their probability: anew at each presentation in training, once a row in evaluation.
  bool dynamic_binarize = false;
  bool masked = false;   ///< a NaN is a cell that nobody knows
  float lo = 0, hi = 1;  ///< the ends of the scaled values: what salt and pepper make of an element
  /// Of sparse rows: they lie there as "data.train.starts" u64[rows + 1], ".columns" i32[entries] and ".values"
  /// f32[entries], scaled.
  std::optional<int64_t> entries = {};
  std::optional<TargetSource> targets = {};
};

/// How many rows of `row` lie in one block: at most 256 MiB.
int64_t rows_per_block(DType stored, const Shape& row, int64_t rows);

struct Batch {
  Var input;   ///< [batch, row...], what the encoder is given
  Var clean;   ///< the same before it was corrupted; `input` itself where it was not
  Var target;  ///< [batch, target...]
  Var weight;  ///< [batch, target...], what each element counts in the objective; empty: 1
  Var known;   ///< [batch, target...], 1 for a known cell, else 0; empty: all are
};

/// The batch of build.step. In training `rows` says how they follow each other, draws are anew, and weights are all that
/// is needed of what each element counts; in evaluation draws belong to the example.
Batch gather_batch(Build& build, const Model& model, const SplitSource& source, Gather rows,
                   const TrainingLength* length = nullptr);

/// Scaled rows in the variable "corruption.input" [rows, row...], `shape`, corrupted as an evaluation corrupts the first
/// rows of a split with the value range of `source`, as output "result". `corruption` as under `model`.
Graph corruption_graph(const Value& corruption, const SplitSource& source, const Shape& shape);

}  // namespace latent
