// What every number means: the registry of metrics behind tables, reports, `stop` and
// `latent info metrics`.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace latent {

/// Values of one split by name, in the order of computation; a trivial row's are "row.metric"
/// ("pca.mse", "floor.bce").
using Metrics = std::vector<std::pair<std::string, double>>;

struct SplitMetrics {
  std::string split;  ///< train | validation | test
  Metrics values;
};

enum class Better { kLower, kHigher, kNeither };

struct Metric {
  std::string_view name;  ///< "ndcg@K" stands for every K
  std::string_view unit;  ///< "" for a pure number
  Better better = Better::kLower;
  std::string_view definition;  ///< one sentence
};

/// A row to compare with: what a method without training, or none at all, reaches.
struct TrivialRow {
  std::string_view name, definition;
};

std::span<const Metric> known_metrics();
std::span<const TrivialRow> trivial_rows();

/// "test.pca.mse" -> {"test", "pca", "mse"}; "test.bce" -> {"test", "", "bce"}; without a split it
/// is empty. Anything that is neither split nor trivial row belongs to the metric's name.
struct MetricAddress {
  std::string split, row, metric;
};
MetricAddress parse_metric(std::string_view address);

/// The registry's entry for an address or a bare name ("ndcg@100" finds "ndcg@K"); null for the
/// terms of penalties and everything else it does not hold.
const Metric* find_metric(std::string_view address);

/// A table of splits and their trivial rows as columns, metrics as rows: the form in which terminal
/// and report show them.
struct MetricsTable {
  std::vector<std::string> columns;
  struct Row {
    std::string metric;
    std::vector<std::optional<double>> cells;  ///< one a column
  };
  std::vector<Row> rows;
};
MetricsTable metrics_table(std::span<const SplitMetrics> splits);

/// The text of `latent info metrics`, at most 100 columns wide.
std::string describe_metrics();

}  // namespace latent
