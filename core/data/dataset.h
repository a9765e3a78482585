// A data set as an experiment uses it: splits as stored, their scaling, and what is known of them beforehand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config/value.h"
#include "core/data/options.h"
#include "core/data/stored_rows.h"

namespace latent {

/// Of scaled rows of a split, in f64; cells that nobody knows are left out.
struct SplitStatistics {
  double sum_of_squares =
      0;  ///< about the mean of each element: sum over rows and elements of (x - mean)^2
  double entropy =
      0;  ///< mean binary entropy of the elements, in nats: the floor of bce; NaN outside of [0, 1]
};

/// Of scaled train rows.
struct ValueRange {
  double lo = 0, hi = 0;
};

/// `data.target`: what the output must match, row by row, where it is not the input.
struct Targets {
  Shape shape;  ///< of a row
  StoredRows train, validation, test;
  HostTensor shift,
      scale;  ///< those of the rows where the shapes agree, else fitted in the same way
  ValueRange range;
};

struct DataSet {
  Shape shape;                         ///< of a row: [28, 28, 1], [140, 1], [21]
  StoredRows train, validation, test;  ///< 0 rows where there is no such split
  std::vector<int64_t> train_labels, validation_labels,
      test_labels;  ///< places in label_names; empty where there are none
  std::vector<std::string> label_names;
  /// f32 [1], or one for each element of a row: x' = (x - shift) * scale. Sparse rows have no shift.
  HostTensor shift, scale;
  ValueRange range;  ///< of the scaled train rows
  /// `data.missing: mask`: a NaN among rows or targets that are stored as reals is a cell that
  /// nobody knows; statistics are those of the others.
  bool masked = false;
  std::optional<Targets> targets;
  std::string sha256;  ///< of rows, labels and targets as loaded, before they are split
};

/// The data of a resolved `data` section; `seed` is the run's, for `split_seed: seed`. Throws UserError: a file that is
/// missing or damaged, NaN, more rows asked for than there are.
DataSet load_data(const Value& data, uint64_t seed);
DataSet load_data(const DataOptions& options);

/// The rows of "train", "validation" or "test".
const StoredRows& split_of(const DataSet& data, const std::string& split);

/// What the output must match: the targets of a split, or its rows where there are none.
const StoredRows& targets_of(const DataSet& data, const std::string& split);
const Shape& target_shape(const DataSet& data);

/// Statistics of what the output must match on "train", "validation" or "test".
SplitStatistics statistics_of(const DataSet& data, const std::string& split);

}  // namespace latent
