#include "experiments/experiment.h"

#include <algorithm>
#include <cmath>

#include "core/config/schedules.h"
#include "experiments/evaluation.h"

namespace latent {
namespace {

/// What goes together of data and evaluations, before anything is trained.
void check_data(const Experiment& e) {
  const Value& corruption = e.config.at("model").at("corruption");
  if (has_emphasis(corruption) && target_shape(e.data) != e.data.shape)
    throw error_at(corruption.mark(), "model.corruption.emphasis",
                   cat("weighs the input's elements ", to_string(e.data.shape),
                       ", and data.target's are ", to_string(target_shape(e.data))));
  if (e.data.train.is_sparse()) check_corruptions_of_sparse_rows(corruption);
  const ValueRange range = e.data.targets ? e.data.targets->range : e.data.range;
  e.model->likelihood().check_range(range.lo, range.hi);
  for (const Value& evaluation : e.config.at("evaluate").list())
    if (const Choice choice = as_choice(evaluation);
        const EvaluationPart* part = find_evaluation(choice.name))
      part->check(choice, e);
}

/// The scaling of rows, and where it lies in the store.
struct ScalingInStore {
  const char* shift_name;
  const HostTensor& shift;
  const char* scale_name;
  const HostTensor& scale;
};

/// Writes entries into `prefix`starts, `prefix`columns and `prefix`values, scaled.
void upload_entries(const SparseRows& rows, const ScalingInStore& by, const std::string& prefix,
                    Store& store) {
  if (std::ranges::any_of(by.shift.as<float>(), [](float s) { return s != 0; }))
    throw UserError(cat(by.shift_name,
                        ": the scaling shifts every element, and the zeros of sparse ",
                        "rows would be filled: take `data.scale: none`, unit or rms"));
  const auto scale = by.scale.as<float>();
  std::vector<float> values = rows.values;
  for (size_t k = 0; k < values.size(); ++k)
    values[k] *= scale[scale.size() == 1 ? 0 : static_cast<size_t>(rows.columns[k])];
  const auto write = [&]<class T>(const char* name, const std::vector<T>& array) {
    store.write(prefix + name, host_tensor<T>({static_cast<int64_t>(array.size())}, array));
  };
  write("starts", rows.starts);
  write("columns", rows.columns);
  write("values", values);
}

/// Writes rows into the blocks `prefix`0, `prefix`1, ...
void upload_rows(const HostTensor& rows, int64_t rows_per_block, const std::string& prefix,
                 Store& store) {
  const int64_t n = rows.type.shape[0];
  const size_t row_bytes = rows.bytes.size() / static_cast<size_t>(std::max<int64_t>(n, 1));
  for (int64_t first = 0, block = 0; first < n; first += rows_per_block, ++block) {
    const std::string name = cat(prefix, block);
    const int64_t count = std::min(rows_per_block, n - first);
    HostTensor part(store.variable(name).type);
    std::copy_n(rows.bytes.data() + static_cast<size_t>(first) * row_bytes,
                static_cast<size_t>(count) * row_bytes, part.bytes.data());
    store.write(name, part);
  }
}

/// Arrays are scaled as they are gathered.
void upload(const StoredRows& rows, int64_t rows_per_block, const std::string& prefix,
            const ScalingInStore& by, Store& store) {
  if (rows.is_sparse()) return upload_entries(rows.sparse(), by, prefix, store);
  store.write(by.shift_name, by.shift);
  store.write(by.scale_name, by.scale);
  upload_rows(rows.array(), rows_per_block, prefix, store);
}

/// Bytes have no missing cells.
bool is_masked(const DataSet& data, const StoredRows& rows) {
  return data.masked && !rows.is_bytes();
}

std::optional<int64_t> entries_of(const StoredRows& rows) {
  if (!rows.is_sparse()) return std::nullopt;
  return static_cast<int64_t>(rows.sparse().columns.size());
}

TrainingLength length_of(const Value& train, int64_t rows, int64_t batch) {
  const bool drop = train.at("tail").is("drop");
  TrainingLength length;
  length.steps_per_epoch = drop ? std::floor(static_cast<double>(rows) / batch)
                                : static_cast<double>(rows) / static_cast<double>(batch);
  const auto given = [&](const char* key) { return !train.at(key).is("none"); };
  if (given("steps")) {
    length.total_steps = train.at("steps").as_int();
  } else if (given("examples")) {
    length.total_steps = (train.at("examples").as_int() + batch - 1) / batch;
  } else {
    const double epochs = static_cast<double>(train.at("epochs").as_int());
    length.total_steps = static_cast<int64_t>(std::ceil(epochs * length.steps_per_epoch - 1e-9));
  }
  return length;
}

TrainingOptions training_options(const Value& config) {
  const Value& train = config.at("train");
  TrainingOptions options;
  options.batch = train.at("batch_size").as_int();
  options.shuffle = train.at("shuffle").as_bool();
  options.drop_tail = train.at("tail").is("drop");
  if (!train.at("clip").is("none")) options.clip = train.at("clip").as_real();
  if (!train.at("ema").is("none")) options.ema = train.at("ema").as_real();
  return options;
}

}  // namespace

std::string Experiment::config_hash() const { return identity_hash(config); }

Experiment make_experiment(const Value& config) {
  Experiment e;
  e.config = config;
  e.seed = static_cast<uint64_t>(config.at("seed").as_int());
  e.data = load_data(config.at("data"), e.seed);
  e.model =
      std::make_unique<Model>(e.config.at("model"), e.data.shape, e.seed, target_shape(e.data));
  const Value& train = config.at("train");
  const int64_t rows = e.data.train.count(), batch = train.at("batch_size").as_int();
  if (batch > rows)
    throw error_at(train.at("batch_size").mark(), "train.batch_size",
                   cat("is ", batch, ", but the data have ", rows, " train rows"));
  check_data(e);
  e.training = training_options(config);
  e.length = e.training.length = length_of(train, rows, batch);
  e.training.optimizer = make_optimizer(
      train.at("optimizer"),
      as_schedule(train.at("schedule"), e.length.steps_per_epoch, e.length.total_steps));
  const Value& stop = train.at("stop");
  if (!stop.is("none") && e.data.validation.count() == 0 &&
      stop.at("metric").as_string().starts_with("validation."))
    throw error_at(stop.mark(), "train.stop",
                   "needs validation rows, and data.validation gives none");
  return e;
}

double epochs_after(const TrainingLength& length, int64_t step) {
  const double steps = static_cast<double>(step);
  const double whole = std::floor((steps + 1e-6) / length.steps_per_epoch);
  const bool reached_now = steps - whole * length.steps_per_epoch < 1 - 1e-6;
  return reached_now ? whole : steps / length.steps_per_epoch;
}

SplitSource split_source(const Experiment& e, const std::string& split) {
  const StoredRows& rows = split_of(e.data, split);
  const int64_t n = rows.count();
  const DType stored = rows.type().dtype;
  SplitSource source{.name = split,
                     .stored = stored,
                     .rows = n,
                     .rows_per_block = rows_per_block(stored, e.data.shape, n),
                     .scale_size = e.data.shift.type.elements(),
                     .dynamic_binarize = e.config.at("data").at("binarize").is("dynamic"),
                     .masked = is_masked(e.data, rows),
                     .entries = entries_of(rows)};
  // The ends of [0, 1] are known, whatever the train rows reach; others are theirs.
  if (e.data.range.lo < 0 || e.data.range.hi > 1) {
    source.lo = static_cast<float>(e.data.range.lo);
    source.hi = static_cast<float>(e.data.range.hi);
  }
  if (e.data.targets) {
    const StoredRows& targets = targets_of(e.data, split);
    const DType dtype = targets.type().dtype;
    source.targets = {.stored = dtype,
                      .rows_per_block = rows_per_block(dtype, e.data.targets->shape, n),
                      .scale_size = e.data.targets->shift.type.elements(),
                      .masked = is_masked(e.data, targets),
                      .entries = entries_of(targets)};
  }
  return source;
}

void upload_split(const Experiment& e, const std::string& split, Store& store) {
  const SplitSource source = split_source(e, split);
  store.write(names::kSeed, host_tensor<uint64_t>({1}, std::vector<uint64_t>{e.seed}));
  const std::string prefix = cat("data.", split, ".");
  upload(split_of(e.data, split), source.rows_per_block, prefix,
         {names::kShift, e.data.shift, names::kScale, e.data.scale}, store);
  if (!e.data.targets) return;
  upload(targets_of(e.data, split), source.targets->rows_per_block, prefix + "target.",
         {names::kTargetShift, e.data.targets->shift, names::kTargetScale, e.data.targets->scale},
         store);
}

}  // namespace latent
