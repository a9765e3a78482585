#include "experiments/experiment.h"

#include <algorithm>
#include <cmath>

#include "core/config/schedules.h"

namespace latent {
namespace {

const HostTensor& rows_of(const DataSet& data, const std::string& split) {
  if (split == "train") return data.train;
  return split == "validation" ? data.validation : data.test;
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
  e.model = std::make_unique<Model>(e.config.at("model"), e.data.shape, e.seed);
  const Value& train = config.at("train");
  const int64_t rows = e.data.train.type.shape[0], batch = train.at("batch_size").as_int();
  if (batch > rows)
    throw error_at(train.at("batch_size").mark(), "train.batch_size",
                   cat("is ", batch, ", but the data have ", rows, " train rows"));
  e.model->likelihood().check_range(e.data.range.lo, e.data.range.hi);
  e.training = training_options(config);
  e.length = e.training.length = length_of(train, rows, batch);
  e.training.optimizer = make_optimizer(
      train.at("optimizer"),
      as_schedule(train.at("schedule"), e.length.steps_per_epoch, e.length.total_steps));
  const Value& stop = train.at("stop");
  if (!stop.is("none") && e.data.validation.type.shape[0] == 0 &&
      stop.at("metric").as_string().starts_with("validation."))
    throw error_at(stop.mark(), "train.stop",
                   "needs validation rows, and data.validation gives none");
  return e;
}

SplitSource split_source(const Experiment& e, const std::string& split) {
  const HostTensor& rows = rows_of(e.data, split);
  const int64_t n = rows.type.shape[0];
  return {.name = split,
          .stored = rows.type.dtype,
          .rows = n,
          .rows_per_block = rows_per_block(rows.type.dtype, e.data.shape, n),
          .scale_size = e.data.shift.type.elements(),
          .dynamic_binarize = e.config.at("data").at("binarize").is("dynamic")};
}

void upload_split(const Experiment& e, const std::string& split, Store& store) {
  const HostTensor& rows = rows_of(e.data, split);
  const SplitSource source = split_source(e, split);
  HostTensor seed(Type{DType::u64, {1}});
  seed.as<uint64_t>()[0] = e.seed;
  store.write(names::kSeed, seed);
  store.write(names::kShift, e.data.shift);
  store.write(names::kScale, e.data.scale);
  const size_t row_bytes =
      rows.bytes.size() / static_cast<size_t>(std::max<int64_t>(source.rows, 1));
  for (int64_t first = 0, block = 0; first < source.rows; first += source.rows_per_block, ++block) {
    const std::string name = cat("data.", split, ".", block);
    const int64_t n = std::min(source.rows_per_block, source.rows - first);
    HostTensor part(store.variable(name).type);
    std::copy_n(rows.bytes.data() + static_cast<size_t>(first) * row_bytes,
                static_cast<size_t>(n) * row_bytes, part.bytes.data());
    store.write(name, part);
  }
}

}  // namespace latent
