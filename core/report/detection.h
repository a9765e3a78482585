// How well scores tell anomalies from normal rows. A higher score is more of an anomaly.
#pragma once

#include <span>
#include <vector>

namespace latent {

/// Area under the receiver operating characteristic: the probability that an anomaly scores higher than a normal row, ties
/// counted as half (Mann and Whitney 1947). NaN where one of the kinds is missing.
double auroc(std::span<const double> scores, const std::vector<bool>& anomalous);

/// Area under precision against recall as a sum of steps over falling thresholds; rows of one score are one step. NaN where
/// there is no anomaly.
double average_precision(std::span<const double> scores, const std::vector<bool>& anomalous);

/// Of rows called anomalies where score > threshold. Shares of nothing are 0.
struct Detection {
  double accuracy = 0, precision = 0, recall = 0, f1 = 0;
};
Detection detect(std::span<const double> scores, const std::vector<bool>& anomalous,
                 double threshold);

/// The value below which a share q of the values lies, linear between neighbours. Throws std::logic_error for no values.
double quantile(std::vector<double> values, double q);

}  // namespace latent
