// What a run keeps on disk: weights that every command can use, and the state that a resume needs.
#pragma once

#include <filesystem>
#include <string>

#include "core/plan/store.h"
#include "experiments/experiment.h"

namespace latent {

/// Where a run stands, beside the variables; all of it is in state.safetensors.
struct RunState {
  int64_t step = 0;
  int64_t metrics_bytes = 0;  ///< length of metrics.jsonl
  int64_t timing_bytes = 0;
  int64_t validations = 0;     ///< done
  int64_t validated_step = 0;  ///< of the last one
  double best = 0;             ///< of the watched metric
  int64_t best_step = -1;      ///< -1: none yet
  int64_t since_best = 0;      ///< validations without a better one
  double seconds = 0;          ///< of training so far
  bool finished = false;
};

/// Parameters (their averages under `train.ema`), data.shift and data.scale, those of targets where there are any; the
/// resolved `data` and `model` as metadata.
void save_weights(const std::filesystem::path& file, const Experiment& experiment,
                  const Store& store);

/// Every variable by name and where the run stands. Format version, hashes of configuration and data, build and device go along.
void save_state(const std::filesystem::path& file, const Experiment& experiment, const Store& store,
                const RunState& state);

/// Throws UserError when the file is damaged, of another format, configuration or data. `note` gets a line when another
/// build or device wrote it, so that bits may differ.
RunState load_state(const std::filesystem::path& file, const Experiment& experiment, Store& store,
                    std::string* note);

/// Writes a weights file's parameters into the store. Throws UserError naming the first that is missing, unknown or of
/// another shape. `rename` maps prefixes of names in the file to ours.
void load_weights(const std::filesystem::path& file, Store& store, const Model& model,
                  const std::vector<std::pair<std::string, std::string>>& rename = {});

/// A weights file as a model with its scaling: enough for every command.
struct SavedModel {
  Value data, model;  ///< resolved
  Shape row, target;  ///< of the input, and of the output
  HostTensor shift, scale;
  HostTensor target_shift,
      target_scale;  ///< of the output: the input's where `data.target` is none
  uint64_t seed = 0;
};
SavedModel read_saved_model(const std::filesystem::path& file);

}  // namespace latent
