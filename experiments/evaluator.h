// Evaluation of a model on a split: the objective and the metrics of design, over all rows in order.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/plan/program.h"
#include "core/report/metrics.h"
#include "experiments/experiment.h"
#include "experiments/views.h"

namespace latent {

class Evaluator {
 public:
  /// `split` is train, validation or test; the store gets its rows. `averaged`: with the moving averages of the weights.
  Evaluator(const Experiment& experiment, Store& store, const std::string& split, bool averaged,
            const Program::Options& options = Program::Options());

  /// loss and its terms, then what `evaluations` (choices of the family) give: the metrics of reconstruction with the
  /// entropy floor first. Throws std::runtime_error when the loss is not finite.
  Metrics run(const Value::List& evaluations);

  /// What `run` gives by name; trivial rows left out.
  std::vector<std::string> names(const Value::List& evaluations) const;

  /// Per unit of the code, the largest |activation| of the last run; a unit with 0 is dead.
  const std::vector<float>& peak() const { return peak_; }

 private:
  bool reports(size_t term, bool reconstruction) const;
  double share(const std::string& term, std::span<const double> sums) const;
  void add_reconstruction(Metrics& metrics) const;

  const Experiment& experiment_;
  Store& store_;
  std::string split_;
  int64_t rows_, batch_;
  std::vector<std::string> terms_;
  size_t objective_terms_ = 0;  ///< of terms_, the first ones
  std::unique_ptr<Program> program_;
  Views views_;
  std::vector<float> peak_;
};

}  // namespace latent
