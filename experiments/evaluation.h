// Evaluations under `evaluate` that read the rows of a split, each a file in experiments/evaluations/. Reconstruction, which
// is summed up on the device beside the objective, is the Evaluator's own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/report/metrics.h"
#include "experiments/experiment.h"
#include "experiments/views.h"

namespace latent {

struct EvaluationInput {
  const Choice& choice;
  const Experiment& experiment;
  const std::string& split;  ///< train, validation or test
  Views& views;              ///< of the weights that are evaluated
};

struct EvaluationPart {
  std::vector<std::string> names;  ///< of its metrics, trivial rows left out
  /// Before anything is trained. Throws UserError for what cannot be evaluated of these data or this model.
  std::function<void(const Choice&, const Experiment&)> check;
  std::function<Metrics(const EvaluationInput&)> run;
};

/// Registers the YAML name with its options and what it does.
struct RegisterEvaluation {
  RegisterEvaluation(ChoiceSpec spec, EvaluationPart part);
};

/// nullptr for reconstruction.
const EvaluationPart* find_evaluation(const std::string& name);

/// The rows of a split, scaled as they are read.
RowReader reader_of(const Experiment& experiment, const std::string& split);
/// The rows of a split, scaled: f32 [rows, row...].
HostTensor scaled_split(const Experiment& experiment, const std::string& split);
/// What the output must match, the same way: [rows, target...].
HostTensor scaled_targets(const Experiment& experiment, const std::string& split);
/// Scaled rows, the first ones of a split, as the validation and test objectives corrupt them; `corruption` as under
/// `model`.
HostTensor corrupted(const Experiment& experiment, const Value& corruption, const HostTensor& rows,
                     std::shared_ptr<Device> device);

}  // namespace latent
