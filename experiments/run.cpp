#include "experiments/run.h"

#include <algorithm>
#include <iostream>

#include "core/base/spelling.h"
#include "core/base/version.h"
#include "core/config/files.h"
#include "core/config/parse.h"
#include "core/report/report.h"
#include "core/terminal/progress.h"
#include "core/terminal/run_text.h"
#include "experiments/figures.h"
#include "experiments/run_folder.h"
#include "experiments/signals.h"
#include "experiments/trainer.h"
#include "kernels/matmul/cublaslt.h"

namespace latent {
namespace {

namespace fs = std::filesystem;
using namespace schema;

const RegisterOptions every{"evaluation",
                            {option("every", words({"none"}) | duration("(0, inf)"), "none",
                                    "also on the validation rows, this often")}};
const RegisterChoice reconstruction{
    Family::evaluation,
    {"reconstruction",
     "bce mse mae sse explained_variance code_mean l0 dead floor.bce",
     {},
     {},
     ""}};

/// Progress on the terminal.
class Display final : public Watcher {
 public:
  explicit Display(const ProgressGoal& goal) : goal_(goal) {}
  void begin(int64_t step) override {
    goal_.first_step = step;
    bar_.emplace(std::cerr, stderr_is_terminal(), goal_);
  }
  void progress(int64_t step, double loss) override { bar_->update(step, loss); }
  void validated(const MetricsLine& line) override {
    std::optional<double> validation;
    if (!line.validation.empty()) validation = line.validation.front().second;
    bar_->validated(line.step, line.train.front().second, validation);
  }
  void note(const std::string& text) override { std::cerr << "note: " << text << '\n'; }
  void finish() {
    if (bar_) bar_->finish();
  }

 private:
  ProgressGoal goal_;
  std::optional<latent::Progress> bar_;
};

std::vector<std::pair<std::string, int64_t>> split_rows(const DataSet& data) {
  return {{"train", data.train.count()},
          {"validation", data.validation.count()},
          {"test", data.test.count()}};
}

std::string data_text(const Experiment& e) {
  std::string shape;
  for (int64_t d : e.data.shape) shape += (shape.empty() ? "" : " x ") + std::to_string(d);
  return cat(e.config.at("data").at("source").as_string(), ", ", shape);
}

/// "masking 0.3, gaussian 0.2": each corruption with its first option.
std::string corruption_text(const Value& corruption) {
  const Value list = corruption.is(Value::Kind::list) ? corruption : Value::make_list({corruption});
  std::vector<std::string> all;
  for (const Value& element : list.list()) {
    const Choice choice = as_choice(element);
    all.push_back(cat(choice.name, " ", choice.options.entries().front().value.as_real()));
  }
  return join(all, ", ");
}

std::string objective_text(const Experiment& e) {
  std::string text = as_choice(e.config.at("model").at("likelihood")).name;
  for (const auto& [at, penalty] : model_figure(*e.model).penalties)
    text += " + " + penalty + (at.empty() ? "" : " at " + at);
  const Value& corruption = e.config.at("model").at("corruption");
  if (has_corruption(corruption)) text += "; input: " + corruption_text(corruption);
  return text;
}

RunHeader header_of(const Experiment& e, const Trainer& trainer, const Device& device) {
  RunHeader h;
  h.name = e.config.at("name").as_string();
  h.seed = std::to_string(e.seed);
  h.device = cat(device.name(), ", ", device.description());
  h.precision = e.config.at("precision").as_string();
  h.data = data_text(e);
  h.objective = objective_text(e);
  h.layers = e.model->table();
  h.notes = trainer.notes();
  int64_t trainable = 0, frozen = 0;
  for (const Parameter& p : e.model->parameters())
    (p.frozen ? frozen : trainable) += p.type.elements();
  if (frozen > 0) h.trainable = trainable;
  h.rows = split_rows(e.data);
  h.batch_size = e.training.batch;
  h.steps = e.length.total_steps;
  h.epochs = epochs_after(e.length, h.steps);
  return h;
}

RunResult result_of(const Experiment& e, const Trainer& trainer, const Device& device) {
  RunResult r;
  r.weights = e.config.at("train").at("keep").as_string();
  r.epochs = trainer.epochs();
  r.steps = trainer.state().step;
  for (const Parameter& p : e.model->parameters()) r.parameters += p.type.elements();
  r.seconds = trainer.state().seconds;
  r.examples_per_second =
      static_cast<double>(r.steps * e.training.batch) / std::max(r.seconds, 1e-9);
  r.device = cat(device.name(), ", ", device.description());
  for (const auto& [name, v] : library_versions()) r.versions.emplace_back(name, v);
  r.versions.emplace_back("latent", version());
  r.commit = commit();
  r.data_sha256 = e.data.sha256;
  r.rows = split_rows(e.data);
  return r;
}

RunReport report_of(const Experiment& e, const RunSpec& spec, RunFigures figures,
                    const RunResult& result) {
  RunReport report;
  report.name = e.config.at("name").as_string();
  report.seed = std::to_string(e.seed);
  report.precision = e.config.at("precision").as_string();
  report.command = cat("latent run ", spec.file);
  report.config = to_yaml(e.config);
  report.data = data_text(e);
  report.model = std::move(figures.model);
  report.curves = std::move(figures.curves);
  report.figures = std::move(figures.images);
  report.result = result;
  return report;
}

void print_summary(const std::string& name, const RunResult& result, const fs::path& folder) {
  const fs::path report = folder / "report.html";
  std::cout << run_footer({.name = name,
                           .metrics = result.metrics,
                           .seconds = result.seconds,
                           .report = fs::exists(report) ? report.string() : ""});
}

/// Everything behind training: test metrics, figures, report, summary.
void finish_run(const Experiment& e, const RunSpec& spec, const fs::path& folder,
                const Trainer& trainer, std::shared_ptr<Device> device) {
  Runner runner(weights_of(folder, e.config.at("train").at("keep").as_string()), device);
  const std::vector<MetricsLine> lines = read_metrics(folder / "metrics.jsonl");
  RunResult result = result_of(e, trainer, *device);
  result.metrics.push_back({"train", lines.back().train});
  if (!lines.back().validation.empty())
    result.metrics.push_back({"validation", lines.back().validation});
  if (e.data.test.count() > 0)
    result.metrics.push_back({"test", evaluate_weights(e, runner, "test")});
  RunFigures figures = draw_figures(e, runner, lines, folder);
  write_report(folder / "report.html", report_of(e, spec, std::move(figures), result));
  write_summary(folder / "summary.json", result);
  print_summary(e.config.at("name").as_string(), result, folder);
}

void begin_weights(const Experiment& e, Store& store) {
  const Value& init = e.config.at("train").at("init");
  if (init.is("none")) return;
  const bool record = init.is(Value::Kind::map);
  fs::path file = resolve_paths(record ? init.at("file") : init).front();
  if (fs::is_directory(file)) file = weights_of(file, "");
  std::vector<std::pair<std::string, std::string>> rename;
  if (record)
    for (const auto& [from, to, mark] : init.at("rename").entries())
      rename.emplace_back(from, to.as_string());
  load_weights(file, store, *e.model, rename);
}

void set_precision(const Experiment& e, Device& device) {
  const bool tf32 = e.config.at("precision").is("tf32");
  device.slot<MatmulPrecision>().tf32 = tf32;
  if (tf32 && !device.gpu()) std::cerr << "note: precision tf32 is fp32 on the CPU\n";
}

/// Trains and finishes one run. False when a signal stopped it.
bool run_one(const RunSpec& spec, const RunOptions& options, bool resume) {
  const Experiment e = make_experiment(spec.config);
  RunFolder folder(options.out / spec.folder, e.config, e.data.sha256, options.overwrite);
  if (folder.state() == RunFolder::State::finished) {
    std::cout << folder.path().string() << ": is finished (--overwrite runs it again)\n";
    print_summary(e.config.at("name").as_string(), read_summary(folder.path() / "summary.json"),
                  folder.path());
    return true;
  }
  if (folder.state() == RunFolder::State::unfinished && !resume)
    throw UserError(
        cat(folder.path().string(),
            ": holds this run, unfinished: --resume goes on with it, --overwrite begins anew"));
  const std::shared_ptr<Device> device = open_device(e.config.at("device").as_string());
  set_precision(e, *device);
  Store store(device);
  Display display({.steps = e.length.total_steps,
                   .epochs = epochs_after(e.length, e.length.total_steps),
                   .batch_size = e.training.batch});
  Trainer trainer(
      e, store, folder.path(),
      {.check = options.check, .resume = resume, .checkpoint_seconds = options.checkpoint_seconds},
      display);
  begin_weights(e, store);
  folder.open();
  std::cout << run_header(header_of(e, trainer, *device)) << std::flush;
  Outcome outcome;
  try {
    outcome = trainer.train();
  } catch (...) {
    display.finish();
    throw;
  }
  display.finish();
  if (outcome == Outcome::interrupted) {
    std::cerr << "stopped after step " << trainer.state().step << "; `latent run " << spec.file
              << " --resume` goes on from there\n";
    return false;
  }
  finish_run(e, spec, folder.path(), trainer, device);
  return true;
}

void dry_run(const std::vector<RunSpec>& specs, const RunOptions& options) {
  for (const RunSpec& spec : specs) {
    const Experiment e = make_experiment(spec.config);
    const RunFolder folder(options.out / spec.folder, e.config, e.data.sha256, options.overwrite);
    const char* state = folder.state() == RunFolder::State::finished ? "finished"
                        : folder.state() == RunFolder::State::unfinished
                            ? "unfinished, would need --resume"
                            : "would run";
    std::cout << "# " << folder.path().string() << ": " << state << ", " << e.length.total_steps
              << " steps\n"
              << to_yaml(e.config) << '\n';
  }
}

}  // namespace

Value read_run_config(const fs::path& folder) {
  if (!fs::exists(folder / "config.yaml"))
    throw UserError(cat(folder.string(), ": is not a run folder: it has no config.yaml"));
  return resolve_config(read_yaml(folder / "config.yaml"), "run");
}

fs::path weights_of(const fs::path& folder, const std::string& which) {
  const std::string name =
      which.empty() ? read_run_config(folder).at("train").at("keep").as_string() : which;
  const fs::path file = folder / (name + ".safetensors");
  if (!fs::exists(file))
    throw UserError(cat(file.string(), ": is not there; has the run finished?"));
  return file;
}

Metrics evaluate_weights(const Experiment& e, Runner& runner, const std::string& split) {
  return Evaluator(e, runner.store(), split, false).run(e.config.at("evaluate").list());
}

int run_experiments(const std::vector<fs::path>& files, const std::vector<std::string>& overrides,
                    const RunOptions& options) {
  const std::vector<RunSpec> specs = load_experiments(files, overrides);
  if (options.dry_run) return dry_run(specs, options), 0;
  SignalScope signals;
  if (specs.size() == 1) return run_one(specs.front(), options, options.resume) ? 0 : 130;
  std::vector<std::string> failures;
  for (const RunSpec& spec : specs) {
    try {
      if (!run_one(spec, options, !options.overwrite)) return 130;
    } catch (const std::exception& error) {
      std::cerr << spec.folder << ": " << error.what() << '\n';
      failures.push_back(cat(spec.folder, ": ", error.what()));
    }
  }
  if (failures.empty()) return 0;
  std::cerr << failures.size() << " of " << specs.size() << " runs failed:\n";
  for (const std::string& failure : failures) std::cerr << "  " << failure << '\n';
  return 1;
}

}  // namespace latent
