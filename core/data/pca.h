// Principal component analysis, exact in f64: the best linear code of a given size, beside which a model's errors stand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/dataset.h"

namespace latent {

/// Errors of the rank-k reconstruction, as those of a model are defined.
struct PcaErrors {
  double mse = 0, sse = 0, explained_variance = 0;
};

/// Mean and principal axes of the scaled train rows, errors on the scaled rows of `split` ("train", "validation", "test").
/// Throws UserError unless 1 <= rank <= elements of a row.
PcaErrors pca_errors(const DataSet& data, const std::string& split, int64_t rank);

/// Variances along the principal axes of the scaled train rows, falling.
std::vector<double> pca_spectrum(const DataSet& data);

}  // namespace latent
