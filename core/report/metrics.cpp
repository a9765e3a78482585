#include "core/report/metrics.h"

#include <algorithm>
#include <array>

#include "core/base/error.h"

namespace latent {
namespace {

constexpr auto kLower = Better::kLower, kHigher = Better::kHigher, kNeither = Better::kNeither;

constexpr Metric kMetrics[] = {
    {"loss", "", kLower,
     "The objective: likelihood term + sum over penalties of weight x schedule x term. On "
     "validation and test rows every schedule counts as 1."},
    {"bce", "nats/element", kLower, "Binary cross-entropy, mean over elements."},
    {"mse", "scaled units^2", kLower,
     "Squared error, mean over elements, without the 1/2 and the constant of a Gaussian."},
    {"mae", "scaled units", kLower, "Absolute error, mean over elements."},
    {"nll", "nats/example", kLower,
     "Negative log-likelihood of an example, summed over its elements, mean over examples."},
    {"sse", "scaled units^2", kLower,
     "Squared error of an example, summed over its elements, mean over examples."},
    {"kl", "nats/example", kNeither,
     "Divergence of the code's distribution from its prior, summed over latents, mean over "
     "examples."},
    {"elbo", "nats/example", kHigher,
     "Evidence lower bound of an example: log-likelihood minus kl, mean over examples."},
    {"nll_is", "nats/example", kLower,
     "Negative importance-weighted bound with K samples of the code (5000 unless said)."},
    {"explained_variance", "share", kHigher,
     "1 - SSE / SSE of predicting the mean: the mean itself scores 0."},
    {"code_mean", "", kNeither, "Mean activation over the units of the code and the examples."},
    {"l0", "units", kNeither, "Mean number of active latents an example."},
    {"dead", "share", kLower, "Share of latents that never fire on the evaluated rows."},
    {"active_units", "units", kHigher,
     "Latents whose posterior mean varies over the examples by more than 0.01."},
    {"psnr", "dB", kHigher,
     "Peak signal-to-noise ratio of the reconstruction against the clean example."},
    {"ssim", "", kHigher,
     "Structural similarity of the reconstruction to the clean example, mean over examples."},
    {"jacobian", "", kLower,
     "Squared Frobenius norm of d code / d encoder input, mean over examples."},
    {"l1", "", kNeither, "Sum of |h| over the units of a layer, mean over examples."},
    {"lp", "", kNeither, "Sum of |h|^p over the units of a layer, mean over examples."},
    {"kl_sparsity", "nats", kNeither,
     "KL(Bernoulli(rho) || Bernoulli(mean activation)), summed over the units of a layer."},
    {"saturated", "share", kNeither,
     "Share of code units whose slope at the example is close to 0."},
    {"auroc", "share", kHigher,
     "Area under the receiver operating characteristic of the anomaly score."},
    {"average_precision", "share", kHigher,
     "Area under the precision-recall curve of the anomaly score, as a sum of steps."},
    {"accuracy", "share", kHigher, "Share of rows on the right side of the threshold."},
    {"precision", "share", kHigher, "Share of anomalies among the rows above the threshold."},
    {"recall", "share", kHigher, "Share of the anomalies that lie above the threshold."},
    {"f1", "share", kHigher, "Harmonic mean of precision and recall at the threshold."},
    {"threshold", "score", kNeither,
     "Score above which a row counts as an anomaly, from training scores alone."},
    {"rmse", "ratings", kLower, "Root of the mean squared error over held-out ratings."},
    {"ndcg@K", "share", kHigher,
     "Normalised discounted cumulative gain of the first K of the full ranking, training items "
     "masked."},
    {"recall@K", "share", kHigher,
     "Held-out items among the first K, as a share of the smaller of K and their number."},
    {"error", "share", kLower, "Share of rows that a classifier on the codes gets wrong."},
};

constexpr TrivialRow kRows[] = {
    {"floor", "Mean entropy of the targets themselves: the bce of a perfect reconstruction."},
    {"pca",
     "Principal components of the training rows, as many as the code has units (or as asked)."},
    {"input", "The corrupted input taken as the reconstruction."},
    {"ridge", "Ridge regression of clean rows on corrupted ones, fitted on the training rows."},
    {"norm", "The distance of a scaled row from the mean training row as its anomaly score."},
    {"popular", "The most popular items for everybody."},
    {"mean", "The mean rating for every pair."},
    {"bias", "Mean rating plus the biases of user and item."},
    {"raw", "The same classifier on the data instead of the codes."},
};

constexpr std::string_view kSplits[] = {"train", "validation", "test"};

/// Takes "name." off the front of `text`; false when it does not stand there.
bool take_prefix(std::string_view& text, std::string_view name) {
  if (!text.starts_with(name) || text.size() <= name.size() || text[name.size()] != '.')
    return false;
  text.remove_prefix(name.size() + 1);
  return true;
}

/// `text` in lines of at most `width`, the second and later ones behind `indent` blanks.
std::string wrap(std::string_view text, size_t width, size_t indent) {
  std::string out;
  size_t column = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (column > 0 && column + 1 + word.size() > width) {
      out += "\n" + std::string(indent, ' ');
      column = 0;
    } else if (column > 0) {
      out += ' ', ++column;
    }
    out += word, column += word.size();
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return out;
}

std::string pad(std::string_view text, size_t width) {
  std::string out(text);
  out.resize(std::max(width, out.size()), ' ');
  return out;
}

}  // namespace

std::span<const Metric> known_metrics() { return kMetrics; }
std::span<const TrivialRow> trivial_rows() { return kRows; }

MetricAddress parse_metric(std::string_view address) {
  MetricAddress out;
  for (auto split : kSplits)
    if (take_prefix(address, split)) {
      out.split = split;
      break;
    }
  for (const auto& row : kRows)
    if (take_prefix(address, row.name)) {
      out.row = row.name;
      break;
    }
  out.metric = address;
  return out;
}

const Metric* find_metric(std::string_view address) {
  std::string name = parse_metric(address).metric;
  if (const size_t at = name.find('@'); at != std::string::npos) name = name.substr(0, at) + "@K";
  const auto found = std::ranges::find(kMetrics, std::string_view(name), &Metric::name);
  return found == std::end(kMetrics) ? nullptr : found;
}

MetricsTable metrics_table(std::span<const SplitMetrics> splits) {
  MetricsTable table;
  std::vector<std::string> keys;  // split and trivial row of each column
  const auto column = [&](const std::string& split, const std::string& row) {
    const std::string key = split + "." + row;
    const auto found = std::ranges::find(keys, key);
    if (found == keys.end()) {
      keys.push_back(key);
      table.columns.push_back(row.empty() ? split : row);
    }
    return static_cast<size_t>(std::ranges::find(keys, key) - keys.begin());
  };
  for (const auto& split : splits) {
    column(split.split, "");
    for (const auto& [name, value] : split.values) {
      const MetricAddress address = parse_metric(name);
      const size_t at = column(split.split, address.row);
      auto row = std::ranges::find(table.rows, address.metric, &MetricsTable::Row::metric);
      if (row == table.rows.end()) row = table.rows.insert(row, {address.metric, {}});
      if (row->cells.size() <= at) row->cells.resize(at + 1);
      row->cells[at] = value;
    }
  }
  for (auto& row : table.rows) row.cells.resize(table.columns.size());
  return table;
}

std::string describe_metrics() {
  constexpr size_t kName = 20, kUnit = 16, kBetter = 8, kText = 100 - kName - kUnit - kBetter;
  constexpr const char* kDirections[] = {"lower", "higher", "-"};
  std::string out =
      "Addressed as <split>.<metric>, or <split>.<row>.<metric> for a trivial row (test.bce,\n"
      "test.pca.mse); split is train, validation or test.\n\n" +
      pad("metric", kName) + pad("unit", kUnit) + pad("better", kBetter) + "definition\n";
  for (const Metric& m : kMetrics)
    out += pad(m.name, kName) + pad(m.unit, kUnit) +
           pad(kDirections[static_cast<size_t>(m.better)], kBetter) +
           wrap(m.definition, kText, kName + kUnit + kBetter) + "\n";
  out += "\n" + pad("trivial row", kName) + "definition\n";
  for (const TrivialRow& row : kRows)
    out += pad(row.name, kName) + wrap(row.definition, 100 - kName, kName) + "\n";
  out +=
      "\nThe terms of penalties are logged unweighted under their labels, with the present weight "
      "beside\nthem; `latent info parts` defines them. objective.nll, objective.mse and "
      "objective.mae are the\nlikelihood's term in the loss where it is another number than the "
      "metric: the input is corrupted,\nelements have weights, the code is drawn.\n";
  return out;
}

}  // namespace latent
