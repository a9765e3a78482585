#include "experiments/trainer.h"

#include <algorithm>
#include <cmath>

#include "core/base/spelling.h"
#include "core/config/duration.h"
#include "experiments/signals.h"

namespace latent {
namespace {

constexpr double kLookSeconds = 1;       ///< the host reads metrics at most this often
constexpr int64_t kMostSteps = 1 << 14;  ///< queued in one go at most
constexpr double kChunkSeconds = 0.05;   ///< signals are seen within about this time

double seconds_since(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
}

template <class T>
T read_scalar(const Store& store, const std::string& name) {
  return store.read(name).as<T>()[0];
}

void zero(Store& store, const std::string& name) {
  store.write(name, HostTensor(store.variable(name).type));
}

}  // namespace

Trainer::Trainer(const Experiment& experiment, Store& store, std::filesystem::path folder,
                 const TrainerOptions& options, Watcher& watcher)
    : experiment_(experiment),
      store_(store),
      folder_(std::move(folder)),
      options_(options),
      watcher_(watcher) {
  const Graph graph = training_graph(*experiment.model, split_source(experiment, "train"),
                                     experiment.training, &terms_, &notes_);
  program_ = std::make_unique<Program>(graph, store, Program::Options{.check = options.check});
  upload_split(experiment, "train", store);
  if (experiment.data.validation.count() > 0)
    validation_.emplace(experiment, store, "validation", experiment.averaged(),
                        Program::Options{.check = options.check});
  check_stop();
}

/// Before anything is trained: `stop` watches a metric that validations give and that has a better direction.
void Trainer::check_stop() const {
  const Value& stop = experiment_.config.at("train").at("stop");
  if (stop.is("none")) return;
  std::vector<std::string> names{"train.loss"};
  for (const std::string& term : terms_) names.push_back("train." + term);
  if (validation_)
    for (const std::string& name : validation_->names(watched_evaluations()))
      names.push_back("validation." + name);
  std::erase_if(names, [](const std::string& name) {
    const Metric* known = find_metric(name);
    return known && known->better == Better::kNeither;
  });
  const std::string metric = stop.at("metric").as_string();
  if (std::ranges::find(names, metric) == names.end())
    throw error_at(stop.at("metric").mark(), "train.stop.metric",
                   cat("is `", metric, "`; validations give ", join(names, ", "),
                       did_you_mean(metric, names)));
}

double Trainer::epochs() const { return epochs_after(experiment_.length, state_.step); }

double Trainer::elapsed() const { return state_.seconds + seconds_since(begin_); }

void Trainer::start_or_resume() {
  const auto state = folder_ / "state.safetensors";
  if (options_.resume && std::filesystem::exists(state)) {
    std::string note;
    state_ = load_state(state, experiment_, store_, &note);
    if (!note.empty()) watcher_.note(note);
  }
  watcher_.begin(state_.step);
  stopped_early_ = out_of_patience();
  metrics_.emplace(folder_ / "metrics.jsonl", state_.metrics_bytes);
  timing_.emplace(folder_ / "timing.jsonl", state_.timing_bytes);
  begin_ = looked_ = saved_ = Clock::now();
}

int64_t Trainer::next_validation() const {
  Duration every = as_duration(experiment_.config.at("train").at("validate"));
  every.amount *= static_cast<double>(state_.validations + 1);
  const TrainingLength& length = experiment_.length;
  const int64_t at = every.steps(length.steps_per_epoch, length.total_steps);
  return std::clamp<int64_t>(at, state_.validated_step + 1, length.total_steps);
}

Outcome Trainer::train() {
  start_or_resume();
  const int64_t total = experiment_.length.total_steps;
  // A checkpoint may have been written between a step and its validation.
  while (state_.validated_step < total && !stopped_early_) {
    const int64_t target = next_validation();
    run_to(target);
    if (state_.step < target) {  // a signal
      save();
      return Outcome::interrupted;
    }
    validate();
  }
  state_.finished = true;
  state_.seconds = elapsed();
  begin_ = Clock::now();
  save();
  save_weights(folder_ / "last.safetensors", experiment_, store_);
  return Outcome::finished;
}

void Trainer::run_to(int64_t target) {
  while (state_.step < target && !stop_requested()) {
    const int64_t steps = options_.check ? 1 : std::min(target - state_.step, chunk_);
    const auto before = Clock::now();
    run_program(steps);
    state_.step += steps;
    const double seconds = seconds_since(before);
    if (steps == chunk_ && seconds < kChunkSeconds / 2) chunk_ = std::min(2 * chunk_, kMostSteps);
    if (seconds > kChunkSeconds * 2) chunk_ = std::max<int64_t>(1, chunk_ / 2);
    look();
    if (seconds_since(saved_) >= options_.checkpoint_seconds) save();
  }
}

void Trainer::run_program(int64_t steps) {
  try {
    program_->run(steps);
  } catch (const NonFiniteError& error) {
    throw NonFiniteError(
        cat("step ", state_.step + 1, " (epoch ", epoch_of(state_.step + 1), "): ", error.what()));
  }
}

/// The epoch, counted from 1, in which a step ends.
int64_t Trainer::epoch_of(int64_t step) const {
  return static_cast<int64_t>(
      std::ceil(static_cast<double>(step) / experiment_.length.steps_per_epoch));
}

void Trainer::look() {
  if (seconds_since(looked_) < kLookSeconds) return;
  looked_ = Clock::now();
  watcher_.progress(state_.step, read_train(nullptr, false));
}

/// The mean loss since the last reset, and all terms.
double Trainer::read_train(Metrics* metrics, bool reset) {
  refuse_non_finite(read_scalar<uint64_t>(store_, "latch"));
  const HostTensor tensor = store_.read("sums");
  const auto sums = tensor.as<double>();
  const double count = std::max(sums[0], 1.0);
  if (metrics) {
    metrics->emplace_back("loss", sums[1] / count);
    for (size_t i = 0; i < terms_.size(); ++i)
      metrics->emplace_back(terms_[i], sums[2 + i] / count);
  }
  if (reset) zero(store_, "sums");
  return sums[1] / count;
}

void Trainer::refuse_non_finite(uint64_t latch) const {
  if (latch == 0) return;
  throw std::runtime_error(cat("the loss was NaN or infinite in step ", latch, " (epoch ",
                               epoch_of(static_cast<int64_t>(latch)),
                               "). The weights stayed those of step ", latch - 1, ", and ",
                               what_stays()));
}

/// A gradient may overflow where its loss did not: the next loss would tell, but a checkpoint may come before it.
void Trainer::refuse_non_finite_weights() const {
  for (const std::string& name : store_.names(Role::parameter)) {
    const HostTensor value = store_.read(name);
    if (std::ranges::all_of(value.as<float>(), [](float w) { return std::isfinite(w); })) continue;
    throw std::runtime_error(cat(name, " was NaN or infinite after step ", state_.step, " (epoch ",
                                 epoch_of(state_.step), "), and ", what_stays()));
  }
}

std::string Trainer::what_stays() const {
  return cat("the last checkpoint in ", folder_.string(),
             " stays as it is. A smaller train.optimizer.lr or train.clip may help; `--check "
             "--overwrite` names the op");
}

void Trainer::validate() {
  MetricsLine line;
  const int64_t before = state_.validated_step;
  state_.validated_step = state_.step;
  ++state_.validations;
  line.step = state_.step;
  line.epoch = epochs();
  read_train(&line.train, true);
  if (validation_) line.validation = validation_->run(due_evaluations(before));
  metrics_->append(to_json(line));
  state_.metrics_bytes = metrics_->size();
  timing_->append(Json{{"epoch", line.epoch}, {"step", line.step}, {"seconds", elapsed()}});
  state_.timing_bytes = timing_->size();
  watcher_.validated(line);
  keep_best(line);
}

/// `stop`: remembers the best validation, and ends training when `patience` of them were no better.
void Trainer::keep_best(const MetricsLine& line) {
  const Value& stop = experiment_.config.at("train").at("stop");
  if (stop.is("none")) return;
  const std::string address = stop.at("metric").as_string();
  const MetricAddress metric = parse_metric(address);
  const Metrics& values = metric.split == "train" ? line.train : line.validation;
  const auto found = std::ranges::find(values, metric.metric, &Metrics::value_type::first);
  if (found == values.end()) return;  // reconstruction was not due
  const Metric* known = find_metric(address);
  const bool higher = known && known->better == Better::kHigher;
  const bool better =
      state_.best_step < 0 || (higher ? found->second > state_.best : found->second < state_.best);
  state_.since_best = better ? 0 : state_.since_best + 1;
  if (better) {
    state_.best = found->second;
    state_.best_step = line.step;
    save_weights(folder_ / "best.safetensors", experiment_, store_);
  }
  stopped_early_ = out_of_patience();
}

bool Trainer::out_of_patience() const {
  const Value& stop = experiment_.config.at("train").at("stop");
  return !stop.is("none") && state_.since_best >= stop.at("patience").as_int();
}

/// The evaluations that are computed on validation rows at all.
Value::List Trainer::watched_evaluations() const {
  Value::List watched;
  for (const Value& element : experiment_.config.at("evaluate").list())
    if (!as_choice(element).option("every").is("none")) watched.push_back(element);
  return watched;
}

/// The evaluations that the validation rows are due for: their `every` has passed since the last validation.
Value::List Trainer::due_evaluations(int64_t last_step) const {
  Value::List due;
  const TrainingLength& length = experiment_.length;
  for (const Value& element : experiment_.config.at("evaluate").list()) {
    const Value& option = as_choice(element).option("every");
    if (option.is("none")) continue;
    const Duration every = as_duration(option);
    const double steps = every.unit == Duration::Unit::steps ? every.amount
                         : every.unit == Duration::Unit::epochs
                             ? every.amount * length.steps_per_epoch
                             : every.amount / 100 * static_cast<double>(length.total_steps);
    const auto passed = [&](int64_t step) { return std::floor(static_cast<double>(step) / steps); };
    if (passed(state_.step) > passed(last_step)) due.push_back(element);
  }
  return due;
}

/// The last good state: what lies behind a loss or a weight that is not finite is not saved.
void Trainer::save() {
  refuse_non_finite(read_scalar<uint64_t>(store_, "latch"));
  refuse_non_finite_weights();
  RunState now = state_;
  now.seconds = elapsed();
  metrics_->sync();
  timing_->sync();
  save_state(folder_ / "state.safetensors", experiment_, store_, now);
  saved_ = Clock::now();
}

}  // namespace latent
