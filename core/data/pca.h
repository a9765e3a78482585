// Principal component analysis, exact in f64: the best linear code of a given size, beside which a model's errors stand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/dataset.h"

namespace latent {

/// Errors of the rank-k reconstruction, as those of a model are defined.
struct PcaErrors {
  double mse = 0;                 ///< mean over rows and elements
  double sse = 0;                 ///< sum over the elements of a row, mean over rows
  double explained_variance = 0;  ///< 1 - SSE / SSE of predicting the mean of these rows
};

/// Mean and principal axes of the scaled train rows. The bits do not depend on the number of threads.
class Pca {
 public:
  explicit Pca(const DataSet& data);

  /// Of the scaled rows of `split`. Throws UserError unless 1 <= rank <= elements of a row.
  PcaErrors errors(const DataSet& data, const std::string& split, int64_t rank) const;
  /// Squared error of each of these rows, summed over its elements: the score of an anomaly.
  std::vector<double> residuals(const DataSet& data, const std::string& split, int64_t rank) const;

  const std::vector<double>& mean() const { return mean_; }
  /// Variances along the axes, falling; n in the denominator.
  const std::vector<double>& variances() const { return variances_; }
  /// The axes, [rank, elements], of unit norm; the element of each that is largest in size is positive.
  const std::vector<double>& axes() const { return axes_; }

 private:
  int64_t width_ = 0;
  std::vector<double> mean_, variances_, axes_;
};

/// Throws UserError, `who` in front, for what is computed of whole rows and their reconstructions: where cells are
/// missing, or the output matches something else than the rows.
void require_whole_rows(const DataSet& data, const std::string& who);

/// The same for one use.
PcaErrors pca_errors(const DataSet& data, const std::string& split, int64_t rank);
std::vector<double> pca_spectrum(const DataSet& data);

}  // namespace latent
