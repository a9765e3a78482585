// `latent run`: train, evaluate and draw one experiment, or all runs of a sweep.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/config/experiment.h"
#include "core/report/metrics.h"
#include "experiments/experiment.h"
#include "experiments/runner.h"

namespace latent {

struct RunOptions {
  std::filesystem::path out = "runs";
  bool dry_run = false, resume = false, overwrite = false, check = false;
  double checkpoint_seconds = 10;
};

/// Runs them in order. Exit code: 0 all done, 1 some failed (listed at the end), 130 interrupted.
/// Throws UserError before anything is trained where the input is wrong.
int run_experiments(const std::vector<std::filesystem::path>& files,
                    const std::vector<std::string>& overrides, const RunOptions& options);

/// Metrics of the weights that `keep` names: test (and the trivial rows), evaluated anew from their file.
Metrics evaluate_weights(const Experiment& experiment, Runner& runner, const std::string& split);

/// The weights file of a run folder: `which` is last, best, or "" for what the run keeps. Throws UserError where there is none.
std::filesystem::path weights_of(const std::filesystem::path& folder, const std::string& which);

/// A run's config.yaml, resolved.
Value read_run_config(const std::filesystem::path& folder);

}  // namespace latent
