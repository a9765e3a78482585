// The progress of a training: one bar that is redrawn on a terminal, plain lines elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

namespace latent {

/// True when the standard error is a terminal that can redraw a line.
bool stderr_is_terminal();

struct ProgressGoal {
  int64_t first_step = 0;  ///< where this process begins: not 0 after a resume
  int64_t steps = 0;       ///< of the whole training
  double epochs = 0;       ///< the same in epochs
  int64_t batch_size = 0;
};

class Progress {
 public:
  /// `now` in seconds from any origin, never going back.
  using Clock = std::function<double()>;
  Progress(std::ostream& out, bool terminal, const ProgressGoal& goal, Clock now);
  /// With the steady clock.
  Progress(std::ostream& out, bool terminal, const ProgressGoal& goal);

  /// After `step` steps the training loss is `loss`. Redraws at most ten times a second on a
  /// terminal; elsewhere prints a line at most every ten seconds.
  void update(int64_t step, double loss);
  /// A validation; its loss, where there are validation rows, stays in sight. Elsewhere than on a
  /// terminal a line is due, at most one a second.
  void validated(int64_t step, double train_loss, std::optional<double> validation_loss);
  /// Prints the last state and leaves the line. Later calls do nothing.
  void finish();
  /// Takes the bar away, so that something else can be printed; the next update draws it again.
  void clear();

 private:
  void show(bool due);
  std::string state() const;
  void measure(int64_t step);

  std::ostream& out_;
  const bool terminal_;
  const ProgressGoal goal_;
  const Clock now_;
  int64_t step_, measured_step_;
  double measured_at_, shown_at_, rate_ = 0;  // steps a second, smoothed
  double loss_ = 0;
  std::optional<double> validation_;
  bool has_loss_ = false, visible_ = false, changed_ = false, done_ = false;
};

}  // namespace latent
