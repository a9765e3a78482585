#include "core/terminal/progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "core/base/error.h"
#include "core/report/number.h"

namespace latent {
namespace {

constexpr double kRedraw = 0.1, kPlain = 10, kPlainValidation = 1;  // seconds between two outputs
constexpr double kMemory = 5;  // seconds over which the speed is averaged

double steady_seconds() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

std::string bar(double share) {
  constexpr int kWidth = 20;
  const int filled = static_cast<int>(std::floor(share * kWidth + 1e-9));
  std::string out(kWidth, ' ');
  std::fill(out.begin(), out.begin() + filled, '=');
  if (filled < kWidth) out[filled] = '>';
  return "[" + out + "]";
}

}  // namespace

bool stderr_is_terminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) && term && std::string_view(term) != "dumb";
}

Progress::Progress(std::ostream& out, bool terminal, const ProgressGoal& goal, Clock now)
    : out_(out),
      terminal_(terminal),
      goal_(goal),
      now_(std::move(now)),
      step_(goal.first_step),
      measured_step_(goal.first_step),
      measured_at_(now_()),
      shown_at_(measured_at_) {}

Progress::Progress(std::ostream& out, bool terminal, const ProgressGoal& goal)
    : Progress(out, terminal, goal, steady_seconds) {}

/// Steps a second as an exponential average: half a minute of slow start is soon forgotten.
void Progress::measure(int64_t step) {
  const double now = now_(), passed = now - measured_at_;
  step_ = step, changed_ = true;
  if (passed < kRedraw || step <= measured_step_) return;
  const double rate = static_cast<double>(step - measured_step_) / passed;
  rate_ = rate_ == 0 ? rate : rate_ + (rate - rate_) * (1 - std::exp(-passed / kMemory));
  measured_step_ = step, measured_at_ = now;
}

void Progress::update(int64_t step, double loss) {
  if (done_) return;
  loss_ = loss, has_loss_ = true;
  measure(step);
  show(now_() - shown_at_ >= (terminal_ ? kRedraw : kPlain));
}

void Progress::validated(int64_t step, double train_loss, std::optional<double> validation_loss) {
  if (done_) return;
  loss_ = train_loss, has_loss_ = true;
  if (validation_loss) validation_ = validation_loss;
  measure(step);
  show(now_() - shown_at_ >= (terminal_ ? kRedraw : kPlainValidation));
}

void Progress::finish() {
  if (done_) return;
  if (terminal_ ? has_loss_ : changed_) show(true);
  if (terminal_ && visible_) out_ << "\n" << std::flush;
  done_ = true;
}

void Progress::clear() {
  if (visible_ && !done_) out_ << "\r\033[K" << std::flush;
  visible_ = false;
}

void Progress::show(bool due) {
  if (!due) return;
  if (terminal_) {
    out_ << "\r" << state() << "\033[K" << std::flush;
    visible_ = true;
  } else {
    out_ << state() << "\n" << std::flush;
  }
  shown_at_ = now_(), changed_ = false;
}

/// "epoch 12/50 [====>   ] 24 %  loss 0.0942  validation 0.0951  183,000 examples/s  48 s left"
std::string Progress::state() const {
  const double share =
      goal_.steps > 0 ? std::clamp(static_cast<double>(step_) / goal_.steps, 0.0, 1.0) : 0;
  const double epoch = std::floor(share * goal_.epochs + 1e-9);
  std::string out = cat("epoch ", format_number(epoch), "/", format_number(goal_.epochs));
  if (terminal_) out += " " + bar(share);
  const std::string percent = std::to_string(static_cast<int>(100 * share + 1e-9));
  out += std::string(4 - percent.size(), ' ') + percent + " %";
  if (has_loss_) out += "  loss " + format_digits(loss_);
  if (validation_) out += "  validation " + format_digits(*validation_);
  if (rate_ > 0) {
    // Three significant digits: the rest is noise.
    const double speed = rate_ * static_cast<double>(goal_.batch_size);
    const double unit = std::pow(10, std::max(0.0, std::floor(std::log10(speed)) - 2));
    out += "  " + format_number(std::round(speed / unit) * unit, 3) + " ex/s";
    if (step_ < goal_.steps)
      out += "  " + format_duration(static_cast<double>(goal_.steps - step_) / rate_) + " left";
  }
  return out;
}

}  // namespace latent
