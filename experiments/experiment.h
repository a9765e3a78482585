// An experiment made ready from its resolved configuration: data, model and the options of training, checked against each other.
#pragma once

#include <memory>
#include <string>

#include "core/config/experiment.h"
#include "core/data/dataset.h"
#include "core/plan/store.h"
#include "models/training.h"

namespace latent {

struct Experiment {
  Value config;
  DataSet data;
  std::unique_ptr<Model> model;
  TrainingOptions training;
  TrainingLength length;
  uint64_t seed = 0;

  /// Hash of the configuration less `device`: with the data's hash it is what a run is.
  std::string config_hash() const;
  bool averaged() const { return training.ema > 0; }
};

/// Loads the data and makes the model. Throws UserError for what does not go together: a batch larger than the train rows,
/// Bernoulli on data outside [0, 1], `stop` without validation rows.
Experiment make_experiment(const Value& config);

/// Epochs after a step: a whole number where this step was the one that reached it.
double epochs_after(const TrainingLength& length, int64_t step);

/// The split as it lies on the device; rows is 0 where the data have none.
SplitSource split_source(const Experiment& experiment, const std::string& split);

/// Writes seed, shift, scale and the blocks of a split into the store, where its graphs have declared them.
void upload_split(const Experiment& experiment, const std::string& split, Store& store);

}  // namespace latent
