#include "core/report/detection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace latent {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double share(double part, double whole) { return whole > 0 ? part / whole : 0; }

/// Calls f(anomalies, rows) for each set of rows of one score, the highest first.
template <class F>
void for_each_score(std::span<const double> scores, const std::vector<bool>& anomalous, F f) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  for (size_t i = 0; i < order.size();) {
    const size_t first = i;
    double anomalies = 0;
    for (; i < order.size() && scores[order[i]] == scores[order[first]]; ++i)
      anomalies += anomalous[order[i]];
    f(anomalies, static_cast<double>(i - first));
  }
}

}  // namespace

double auroc(std::span<const double> scores, const std::vector<bool>& anomalous) {
  double above = 0, pairs = 0, anomalies_before = 0, normals = 0;
  for_each_score(scores, anomalous, [&](double anomalies, double rows) {
    const double normal = rows - anomalies;
    above += normal * (anomalies_before + anomalies / 2);
    anomalies_before += anomalies;
    normals += normal;
  });
  pairs = anomalies_before * normals;
  return pairs > 0 ? above / pairs : kNone;
}

double average_precision(std::span<const double> scores, const std::vector<bool>& anomalous) {
  const auto all = static_cast<double>(std::ranges::count(anomalous, true));
  double found = 0, seen = 0, sum = 0;
  for_each_score(scores, anomalous, [&](double anomalies, double rows) {
    found += anomalies;
    seen += rows;
    sum += anomalies * found / seen;
  });
  return all > 0 ? sum / all : kNone;
}

Detection detect(std::span<const double> scores, const std::vector<bool>& anomalous,
                 double threshold) {
  double hits = 0, called = 0, right = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    const bool call = scores[i] > threshold;
    called += call;
    hits += call && anomalous[i];
    right += call == anomalous[i];
  }
  const auto all = static_cast<double>(std::ranges::count(anomalous, true));
  Detection d;
  d.accuracy = share(right, static_cast<double>(scores.size()));
  d.precision = share(hits, called);
  d.recall = share(hits, all);
  d.f1 = share(2 * hits, called + all);
  return d;
}

double quantile(std::vector<double> values, double q) {
  if (values.empty()) throw std::logic_error("quantile: of no values");
  std::ranges::sort(values);
  const double at = q * static_cast<double>(values.size() - 1), below = std::floor(at);
  const auto i = static_cast<size_t>(below);
  const double next = values[std::min(i + 1, values.size() - 1)];
  return values[i] + (at - below) * (next - values[i]);
}

}  // namespace latent
