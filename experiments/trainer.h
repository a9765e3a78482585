// The training loop of one run: steps, validations, checkpoints, stops. The device does the work; the host looks in about once a second.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/plan/program.h"
#include "core/report/run_files.h"
#include "experiments/checkpoint.h"
#include "experiments/evaluator.h"

namespace latent {

/// What the loop tells whoever watches: a progress bar, plain lines, a test.
class Watcher {
 public:
  virtual ~Watcher() = default;
  /// Training begins, or goes on, behind this step.
  virtual void begin(int64_t /*step*/) {}
  virtual void progress(int64_t /*step*/, double /*loss*/) {}
  virtual void validated(const MetricsLine&) {}
  virtual void note(const std::string&) {}
};

struct TrainerOptions {
  bool check = false;              ///< node by node, names the first op that makes a NaN
  bool resume = false;             ///< go on from state.safetensors
  double checkpoint_seconds = 10;  ///< least time between two states
};

enum class Outcome { finished, interrupted };

class Trainer {
 public:
  Trainer(const Experiment& experiment, Store& store, std::filesystem::path folder,
          const TrainerOptions& options, Watcher& watcher);

  /// Trains to the end, to `stop`, or to a signal. Throws UserError when the loss stops being finite.
  Outcome train();

  const RunState& state() const { return state_; }
  int64_t steps() const { return state_.step; }
  double epochs() const;
  /// What parts of the model chose by themselves, and why.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  using Clock = std::chrono::steady_clock;

  void start_or_resume();
  int64_t next_validation() const;
  void check_stop() const;
  void run_to(int64_t target);
  void run_program(int64_t steps);
  int64_t epoch_of(int64_t step) const;
  void look();
  double read_train(Metrics* metrics, bool reset);
  void refuse_non_finite(uint64_t latch) const;
  void refuse_non_finite_weights() const;
  std::string what_stays() const;
  void validate();
  bool out_of_patience() const;
  Value::List watched_evaluations() const;
  Value::List due_evaluations(int64_t last_step) const;
  void keep_best(const MetricsLine& line);
  void save();
  double elapsed() const;

  const Experiment& experiment_;
  Store& store_;
  std::filesystem::path folder_;
  TrainerOptions options_;
  Watcher& watcher_;
  std::vector<std::string> terms_, notes_;
  std::unique_ptr<Program> program_;
  std::optional<Evaluator> validation_;
  std::optional<JsonLines> metrics_, timing_;
  RunState state_;
  bool stopped_early_ = false;
  int64_t chunk_ = 1;
  Clock::time_point begin_, looked_, saved_;
};

}  // namespace latent
