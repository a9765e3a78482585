// Which rows are for training, validation and test.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/options.h"

namespace latent {

struct SplitRows {
  std::vector<int64_t> train, validation, test;  ///< numbers of rows, ascending
};

/// Splits n rows. `random`: by a permutation that is a function of split_seed; `stratified`: the same, each label with
/// its share in each part (needs `labels`, one a row); `ordered`: train, validation, test as they come. `test` is the
/// number of test rows taken from them, 0 where they come from elsewhere. Of train and validation the one that is not
/// given is the rest. Throws UserError: more rows asked for than there are, no row for training.
SplitRows split_rows(int64_t n, int64_t test, const std::vector<int64_t>& labels,
                     const DataOptions& options);

}  // namespace latent
