// A data set as an experiment uses it: splits as stored, their scaling, and what is known of them beforehand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/value.h"
#include "core/data/options.h"
#include "core/tensor/host_tensor.h"

namespace latent {

/// Of the scaled rows of a split, in f64.
struct SplitStatistics {
  double sum_of_squares =
      0;  ///< about the mean of each element: sum over rows and elements of (x - mean)^2
  double entropy =
      0;  ///< mean binary entropy of the elements, in nats: the floor of bce; NaN outside of [0, 1]
};

struct DataSet {
  Shape shape;  ///< of a row: [28, 28, 1], [140, 1], [21]
  HostTensor train, validation,
      test;  ///< [rows, shape...], as stored; 0 rows where there is no such split
  std::vector<int64_t> train_labels, validation_labels,
      test_labels;  ///< places in label_names; empty where there are none
  std::vector<std::string> label_names;
  HostTensor shift, scale;  ///< f32 [1], or one for each element of a row: x' = (x - shift) * scale
  struct Range {
    double lo = 0, hi = 0;
  } range;             ///< of the scaled train rows
  std::string sha256;  ///< of the rows and labels as loaded, before they are split
};

/// The data of a resolved `data` section; `seed` is the run's, for `split_seed: seed`. Throws UserError: a file that is
/// missing or damaged, NaN, more rows asked for than there are.
DataSet load_data(const Value& data, uint64_t seed);
DataSet load_data(const DataOptions& options);

/// The rows of "train", "validation" or "test".
const HostTensor& split_of(const DataSet& data, const std::string& split);

/// Statistics of "train", "validation" or "test".
SplitStatistics statistics_of(const DataSet& data, const std::string& split);

}  // namespace latent
