#include "core/data/split.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/random/philox.h"

namespace latent {
namespace {

/// Rows in the order of random keys, one a row: every permutation is as likely.
std::vector<int64_t> permutation(int64_t n, uint64_t seed) {
  std::vector<std::pair<uint64_t, int64_t>> keys(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    const Words4 words = random_words4(seed, 0, stream_of("data.split"), static_cast<uint64_t>(i));
    keys[static_cast<size_t>(i)] = {uint64_t{words.v[0]} << 32 | words.v[1], i};
  }
  std::ranges::sort(keys);
  std::vector<int64_t> order;
  for (const auto& key : keys) order.push_back(key.second);
  return order;
}

/// Rearranges an order so that every stretch of it has each label in proportion: the k-th of the m rows of a label goes
/// to the place (k + 1/2) / m of the whole.
std::vector<int64_t> stratify(const std::vector<int64_t>& order,
                              const std::vector<int64_t>& labels) {
  std::map<int64_t, double> total, seen;
  for (int64_t row : order) ++total[labels[static_cast<size_t>(row)]];
  std::vector<std::pair<double, size_t>> places;
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t label = labels[static_cast<size_t>(order[i])];
    places.emplace_back((seen[label]++ + 0.5) / total[label], i);
  }
  std::ranges::sort(places);
  std::vector<int64_t> out;
  for (const auto& place : places) out.push_back(order[place.second]);
  return out;
}

std::vector<int64_t> row_order(int64_t n, const std::vector<int64_t>& labels,
                               const DataOptions& o) {
  if (o.split == SplitOrder::ordered) {
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    return order;
  }
  if (o.split == SplitOrder::random) return permutation(n, o.split_seed);
  if (labels.empty())
    throw UserError("data.split: stratified needs labels, and the data have none");
  return stratify(permutation(n, o.split_seed), labels);
}

}  // namespace

SplitRows split_rows(int64_t n, int64_t test, const std::vector<int64_t>& labels,
                     const DataOptions& o) {
  if (test > n) throw UserError(cat("data.test: ", test, " rows, and the data have ", n));
  const int64_t left = n - test;
  const bool none = o.validation_rows != ValidationRows::part;
  // Of the two the one that is not given; where neither is, validation has its default and train is the rest.
  int64_t validation = none || o.validation.rest() ? 0 : o.validation.of(left);
  const int64_t train = o.train.rest() ? left - validation : o.train.of(left);
  if (!none && o.validation.rest()) validation = left - train;
  if (train > left || validation > left - std::min(train, left) || validation < 0)
    throw UserError(cat("data.train: ", train, " rows and ", validation,
                        " for validation, and the data have ", left,
                        test ? cat(" that are not among the ", test, " test rows") : ""));
  if (train <= 0)
    throw UserError(cat("data.train: no row is left for training: the data have ", n,
                        ", validation takes ", validation, ", test ", test));
  const std::vector<int64_t> order = row_order(n, labels, o);
  const auto part = [&](int64_t first, int64_t count) {
    std::vector<int64_t> rows(order.begin() + first, order.begin() + first + count);
    std::ranges::sort(rows);
    return rows;
  };
  return {part(0, train), part(train, validation), part(left, test)};
}

}  // namespace latent
