#include "core/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "core/base/sha256.h"
#include "core/data/convert.h"
#include "core/data/labels.h"
#include "core/data/moments.h"
#include "core/data/scaling.h"
#include "core/data/sources.h"
#include "core/data/split.h"
#include "core/random/philox.h"

namespace latent {
namespace {

// ---- Rows as loaded

/// [rows, channels, height, width] to [rows, height, width, channels].
HostTensor to_nhwc(const StoredRows& rows) {
  if (rows.type().rank() != 4)
    throw UserError(cat("data.layout: nchw is for arrays of 4 axes, and the rows are ",
                        to_string(rows.type())));
  const HostTensor& in = rows.array();
  const auto& s = in.type.shape;
  HostTensor out(Type{in.type.dtype, {s[0], s[2], s[3], s[1]}});
  const size_t size = size_of(in.type.dtype), pixels = static_cast<size_t>(s[2] * s[3]),
               channels = static_cast<size_t>(s[1]);
  for (size_t n = 0; n < static_cast<size_t>(s[0]); ++n)
    for (size_t c = 0; c < channels; ++c)
      for (size_t p = 0; p < pixels; ++p)
        std::copy_n(in.bytes.data() + ((n * channels + c) * pixels + p) * size, size,
                    out.bytes.data() + ((n * pixels + p) * channels + c) * size);
  return out;
}

void set_shape(StoredRows& rows, const Shape& row, const char* key) {
  if (rows.set_row(row)) return;
  throw UserError(cat(key, ": ", to_string(row), " does not fit the rows, which are ",
                      rows.is_sparse() ? "sparse, " : "", to_string(rows.type())));
}

/// NaN is refused, or kept for later where `missing` is zero or mask; infinities are always refused. Entries of sparse
/// rows are finite.
void check_finite(const StoredRows& rows, bool allow_nan, const std::string& what) {
  if (rows.is_sparse() && allow_nan)
    throw UserError(
        cat(what, ": data.missing: sparse rows have no missing cells: what they do not hold is 0"));
  if (rows.is_sparse() || rows.is_bytes()) return;
  const HostTensor values = to_f32(rows.array());
  const auto v = values.as<float>();
  const auto width = static_cast<size_t>(rows.width());
  for (size_t i = 0; i < v.size(); ++i) {
    if (std::isfinite(v[i]) || (allow_nan && std::isnan(v[i]))) continue;
    const bool nan = std::isnan(v[i]);
    throw UserError(cat(
        what, ": row ", i / width, ", column ", i % width, " (both from 0) is ",
        nan ? "NaN; `data.missing: mask` or `zero` takes such cells" : "infinite, or beyond f32"));
  }
}

/// Targets of as many elements as a row have its shape.
void prepare_targets(LabelledRows& part, const DataOptions& o, const std::string& what) {
  if (!part.has_targets()) return;
  if (o.nchw && part.targets.type().rank() == 4) part.targets = to_nhwc(part.targets);
  if (part.targets.width() == part.rows.width()) part.targets.set_row(part.rows.row());
  check_finite(part.targets, o.csv.allow_missing, what + " (targets)");
}

void prepare(LabelledRows& part, const DataOptions& o, const std::string& what) {
  if (o.nchw) part.rows = to_nhwc(part.rows);
  if (!o.shape.empty()) set_shape(part.rows, o.shape, "data.shape");
  check_finite(part.rows, o.csv.allow_missing, what);
  prepare_targets(part, o, what);
}

std::string name_of_source(const DataOptions& o) {
  return o.paths.empty() ? o.source : o.paths.front().string();
}

void add_to_hash(Sha256& hash, const LabelledRows& part) {
  add_to_hash(hash, part.rows);
  for (const std::string& label : part.labels) hash.update(label + "\n");
  if (!part.has_targets()) return;
  hash.update("targets ");
  add_to_hash(hash, part.targets);
}

// ---- Splits

/// The rows before they are split, and those that are test rows anyway.
struct Pool {
  LabelledRows rows;
  std::optional<LabelledRows> test;
  double unit = 255;
};

/// Test rows of another file bring their targets under the same key.
void check_test_targets(const Pool& pool, const DataOptions& o) {
  if (!pool.rows.has_targets()) return;
  if (!pool.test->has_targets())
    throw UserError(cat("data.target: ", o.test_path.string(),
                        " brings no targets for its rows; npz and safetensors hold them by a key"));
}

Pool load_pool(const DataOptions& o) {
  RawData raw = load_source(o);
  Pool pool{std::move(raw.all), std::nullopt, raw.unit};
  prepare(pool.rows, o, name_of_source(o));
  if (raw.test) prepare(*raw.test, o, name_of_source(o) + " (test rows)");
  if (o.test_rows == TestRows::own) pool.test = std::move(raw.test);
  if (o.test_rows == TestRows::part && raw.test) {  // a share of all rows that there are
    pool.rows.rows = concatenate_rows(pool.rows.rows, raw.test->rows, o.source);
    std::ranges::move(raw.test->labels, std::back_inserter(pool.rows.labels));
    if (pool.rows.has_targets())
      pool.rows.targets = concatenate_rows(pool.rows.targets, raw.test->targets, o.source);
  }
  if (o.test_rows == TestRows::file) {
    pool.test = load_rows(o.test_path, o);
    // Whatever scales the others can scale an array.
    if (pool.test->rows.is_sparse() && !pool.rows.rows.is_sparse())
      pool.test->rows = pool.test->rows.dense();
    if (o.nchw && pool.test->rows.type().rank() == 4) pool.test->rows = to_nhwc(pool.test->rows);
    set_shape(pool.test->rows, pool.rows.rows.row(), "data.test");
    check_finite(pool.test->rows, o.csv.allow_missing, o.test_path.string());
    check_test_targets(pool, o);
    prepare_targets(*pool.test, o, o.test_path.string());
  }
  return pool;
}

int64_t test_rows_to_take(const Pool& pool, const DataOptions& o) {
  const int64_t n = pool.rows.rows.count();
  if (o.test_rows == TestRows::part) return o.test.of(n);
  if (o.test_rows == TestRows::own && !pool.test) return Part{.rows = {}, .share = 0.2}.of(n);
  return 0;
}

/// Leaves out rows whose label is not among `train_on`.
void keep_labels(std::vector<int64_t>& rows, const std::vector<int64_t>& labels,
                 const std::vector<std::string>& names, const std::vector<std::string>& kept) {
  std::set<int64_t> wanted;
  for (const std::string& label : kept) {
    const auto found = std::ranges::find(names, label);
    if (found == names.end())
      throw UserError(cat("data.train_on: no row has the label `", label, "`"));
    wanted.insert(found - names.begin());
  }
  std::erase_if(rows,
                [&](int64_t row) { return !wanted.contains(labels[static_cast<size_t>(row)]); });
}

std::vector<int64_t> take(const std::vector<int64_t>& labels, const std::vector<int64_t>& rows) {
  std::vector<int64_t> out;
  if (labels.empty()) return out;
  for (int64_t row : rows) out.push_back(labels[static_cast<size_t>(row)]);
  return out;
}

void split_targets(const Pool& pool, const SplitRows& rows, const DataOptions& o, DataSet& data) {
  const StoredRows& all = pool.rows.targets;
  if (!pool.rows.has_targets()) return;
  Targets& t = data.targets.emplace();
  t.shape = all.row();
  t.train = take_rows(all, rows.train);
  const bool whole_test = o.validation_rows == ValidationRows::test;
  t.test = pool.test ? pool.test->targets : take_rows(all, rows.test);
  t.validation = whole_test ? t.test : take_rows(all, rows.validation);
  if (pool.test && t.test.row() != t.shape)
    throw UserError(cat("data.target: the targets of the test rows are ", to_string(t.test.type()),
                        ", those of the others ", to_string(all.type())));
}

/// Cuts the pool; `rows` gets the numbers of the rows in the source, its own test rows counted on.
DataSet split_pool(const Pool& pool, const DataOptions& o, SplitRows& rows) {
  const LabelledRows& all = pool.rows;
  const int64_t n = all.rows.count();
  std::vector<std::string> texts = all.labels;
  const bool test_labels = pool.test && !pool.test->labels.empty() && !texts.empty();
  if (test_labels) texts.insert(texts.end(), pool.test->labels.begin(), pool.test->labels.end());
  Labels labels = make_labels(texts);
  const auto pool_end = labels.ids.begin() + (texts.empty() ? 0 : n);
  const std::vector<int64_t> ids(labels.ids.begin(), pool_end);

  rows = split_rows(n, test_rows_to_take(pool, o), ids, o);
  if (o.test_rows == TestRows::train) rows.test = rows.train;
  if (o.train_on) {
    if (ids.empty()) throw UserError("data.train_on: the data have no labels");
    keep_labels(rows.train, ids, labels.names, *o.train_on);
    keep_labels(rows.validation, ids, labels.names, *o.train_on);
    if (rows.train.empty()) throw UserError("data.train_on: no row is left for training");
  }
  DataSet data;
  data.shape = all.rows.row();
  data.train = take_rows(all.rows, rows.train);
  data.validation = take_rows(all.rows, rows.validation);
  data.test = pool.test ? pool.test->rows : take_rows(all.rows, rows.test);
  data.train_labels = take(ids, rows.train);
  data.validation_labels = take(ids, rows.validation);
  data.test_labels = take(ids, rows.test);
  if (pool.test) {
    data.test_labels.assign(test_labels ? pool_end : labels.ids.end(), labels.ids.end());
    rows.test.resize(static_cast<size_t>(data.test.count()));
    std::iota(rows.test.begin(), rows.test.end(), n);
  }
  if (o.validation_rows == ValidationRows::test) {
    data.validation = data.test;
    data.validation_labels = data.test_labels;
    rows.validation = rows.test;
  }
  data.label_names = std::move(labels.names);
  split_targets(pool, rows, o, data);
  return data;
}

// ---- Values

/// A missing value becomes what scales to 0.
void fill_missing(StoredRows& rows, const HostTensor& shift) {
  if (rows.is_bytes()) return;
  HostTensor filled = to_f32(rows.array());
  const auto v = filled.as<float>();
  const auto s = shift.as<float>();
  for (size_t i = 0; i < v.size(); ++i)
    if (std::isnan(v[i])) v[i] = s[i % s.size()];
  rows = std::move(filled);
}

/// Ones where a scaled entry is above 0.5; 0 is not.
SparseRows above_threshold(const SparseRows& rows, const DataSet& data) {
  SparseRows out{.width = rows.width};
  const float scale = data.scale.as<float>()[0];
  for (size_t r = 0; r + 1 < rows.starts.size(); ++r) {
    for (size_t k = rows.starts[r]; k < rows.starts[r + 1]; ++k)
      if (rows.values[k] * scale > 0.5f) out.columns.push_back(rows.columns[k]);
    out.end_row();
  }
  out.values.assign(out.columns.size(), 1);
  return out;
}

/// Scaled values as 0 or 1: by the threshold 0.5, or drawn once, a function of the row's number in the source.
void binarize(StoredRows& rows, const std::vector<int64_t>& numbers, const DataSet& data,
              const DataOptions& o) {
  if (rows.is_sparse()) {
    rows = above_threshold(rows.sparse(), data);
    return;
  }
  HostTensor out(Type{DType::u8, rows.type().shape});
  const size_t width = static_cast<size_t>(elements(data.shape));
  const auto to = out.as<uint8_t>();
  for (size_t r = 0; r < numbers.size(); ++r) {
    const std::vector<float> x =
        scaled_rows(rows, static_cast<int64_t>(r), 1, data.shift, data.scale);
    for (size_t j = 0; j < width; ++j) {
      if (o.binarize == Binarize::fixed && !(x[j] >= 0 && x[j] <= 1))
        throw UserError(
            cat("data.binarize: static draws with probability x, and there is ", x[j],
                " after scaling; `data.scale: minmax` or `unit` bring values into [0, 1]"));
      const uint64_t element = static_cast<uint64_t>(numbers[r]) * width + j;
      to[r * width + j] =
          o.binarize == Binarize::threshold
              ? x[j] > 0.5f
              : bernoulli(o.data_seed, 0, stream_of("data.binarize"), element, x[j]);
    }
  }
  rows = std::move(out);
}

/// What is drawn, or cut at a threshold, is stored as bytes, and belongs to the rows alone.
void check_binarize(const DataSet& data, const DataOptions& o) {
  if (o.binarize == Binarize::none) return;
  if (data.targets)
    throw UserError(
        "data.binarize: makes the rows 0 or 1, and `data.target` is another array: give binary "
        "data");
  if (data.train.is_sparse() && o.binarize != Binarize::threshold)
    throw UserError(cat("data.binarize: ", o.binarize == Binarize::fixed ? "static" : "dynamic",
                        " draws every element, and rows are sparse: take threshold"));
  if (o.binarize == Binarize::dynamic) return;
  for (const StoredRows* part : {&data.train, &data.validation, &data.test})
    if (has_nan(*part))
      throw UserError(
          "data.binarize: threshold and static keep no missing cells; `data.missing: zero` or "
          "`binarize: dynamic` do");
}

/// As the rows are, where the shapes agree; else by a fit of their own.
void scale_targets(DataSet& data, const DataOptions& o) {
  Targets& t = *data.targets;
  if (t.shape == data.shape) {
    t.shift = data.shift;
    t.scale = data.scale;
  } else {
    const bool bits = t.train.is_bytes() && std::ranges::all_of(t.train.array().as<uint8_t>(),
                                                                [](uint8_t v) { return v <= 1; });
    Scaling scaling = fit_scaling(t.train, o.scale, bits ? 1 : 255);
    t.shift = std::move(scaling.shift);
    t.scale = std::move(scaling.scale);
  }
  if (o.zero_missing)
    for (StoredRows* part : {&t.train, &t.validation, &t.test}) fill_missing(*part, t.shift);
  const Moments moments = moments_of(t.train, t.shift, t.scale);
  t.range = {std::ranges::min(moments.lo), std::ranges::max(moments.hi)};
}

double binary_entropy(double p) {
  if (p == 0 || p == 1) return 0;  // most pixels
  if (p < 0 || p > 1) return std::numeric_limits<double>::quiet_NaN();
  return -p * std::log(p) - (1 - p) * std::log(1 - p);
}

}  // namespace

DataSet load_data(const Value& section, uint64_t seed) {
  return load_data(read_data_options(section, seed));
}

DataSet load_data(const DataOptions& o) {
  const Pool pool = load_pool(o);
  SplitRows rows;
  DataSet data = split_pool(pool, o, rows);
  Sha256 hash;
  add_to_hash(hash, pool.rows);
  if (pool.test) add_to_hash(hash, *pool.test);
  data.sha256 = hash.hex();

  Scaling scaling = fit_scaling(data.train, o.scale, pool.unit);
  data.shift = std::move(scaling.shift);
  data.scale = std::move(scaling.scale);
  data.masked = o.mask_missing;
  if (o.zero_missing)
    for (StoredRows* part : {&data.train, &data.validation, &data.test})
      fill_missing(*part, data.shift);
  check_binarize(data, o);
  if (data.targets) scale_targets(data, o);
  if (o.binarize == Binarize::threshold || o.binarize == Binarize::fixed) {
    binarize(data.train, rows.train, data, o);
    binarize(data.validation, rows.validation, data, o);
    binarize(data.test, rows.test, data, o);
    scaling = no_scaling();
    data.shift = std::move(scaling.shift);
    data.scale = std::move(scaling.scale);
  }
  const Moments moments = moments_of(data.train, data.shift, data.scale);
  data.range = {std::ranges::min(moments.lo), std::ranges::max(moments.hi)};
  return data;
}

const StoredRows& split_of(const DataSet& data, const std::string& split) {
  if (split == "train") return data.train;
  if (split == "validation") return data.validation;
  if (split == "test") return data.test;
  throw std::logic_error("no split is called " + split);
}

const StoredRows& targets_of(const DataSet& data, const std::string& split) {
  if (!data.targets) return split_of(data, split);
  if (split == "train") return data.targets->train;
  return split == "validation" ? data.targets->validation : data.targets->test;
}

const Shape& target_shape(const DataSet& data) {
  return data.targets ? data.targets->shape : data.shape;
}

SplitStatistics statistics_of(const DataSet& data, const std::string& split) {
  const StoredRows& rows = targets_of(data, split);
  const HostTensor &shift = data.targets ? data.targets->shift : data.shift,
                   &scale = data.targets ? data.targets->scale : data.scale;
  const Moments moments = moments_of(rows, shift, scale);
  SplitStatistics s;
  s.sum_of_squares = std::accumulate(moments.squares.begin(), moments.squares.end(), 0.0);
  const int64_t n = rows.count(), width = elements(target_shape(data));
  std::vector<double> sums(static_cast<size_t>((n + kMomentRows - 1) / kMomentRows));
  for_each_block(rows, shift, scale, [&](size_t block, const float* x, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count * width; ++i)
      if (!std::isnan(x[i])) sum += binary_entropy(x[i]);
    sums[block] = sum;
  });
  const double cells = std::accumulate(moments.count.begin(), moments.count.end(), 0.0);
  s.entropy = std::accumulate(sums.begin(), sums.end(), 0.0) / std::max(cells, 1.0);
  return s;
}

}  // namespace latent
