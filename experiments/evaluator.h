// Evaluation of a model on a split: the objective and the metrics of design, over all rows in order.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/plan/program.h"
#include "core/report/metrics.h"
#include "experiments/experiment.h"

namespace latent {

class Evaluator {
 public:
  /// `split` is train, validation or test; the store gets its rows. `averaged`: with the moving averages of the weights.
  Evaluator(const Experiment& experiment, Store& store, const std::string& split, bool averaged,
            const Program::Options& options = Program::Options());

  /// loss, the terms, then the metrics of `reconstruction` where asked for. Throws UserError when the loss is not finite.
  Metrics run(bool reconstruction);

  /// Per unit of the code, the largest |activation| of the last run; a unit with 0 is dead.
  const std::vector<float>& peak() const { return peak_; }

 private:
  const Experiment& experiment_;
  Store& store_;
  std::string split_;
  int64_t rows_, batch_;
  std::vector<std::string> terms_;
  std::unique_ptr<Program> program_;
  std::vector<float> peak_;
};

/// The metrics that need the data alone: floor.bce of a split in [0, 1] (the mean entropy of its elements, in nats).
void add_floor(const Experiment& experiment, const std::string& split, Metrics& metrics);

/// `evaluate: [pca]`: pca.mse, pca.sse, pca.explained_variance of the rank-k optimum fitted on the train rows.
void add_pca(const Experiment& experiment, const std::string& split, int64_t rank,
             Metrics& metrics);

}  // namespace latent
