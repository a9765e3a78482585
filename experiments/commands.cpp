#include "experiments/commands.h"

#include <cmath>
#include <iostream>

#include "core/base/version.h"
#include "core/config/describe.h"
#include "core/config/dotted.h"
#include "core/config/experiment.h"
#include "core/data/rows_file.h"
#include "core/data/sources.h"
#include "core/report/metrics.h"
#include "core/terminal/run_text.h"
#include "experiments/run.h"

namespace latent {
namespace {

namespace fs = std::filesystem;

fs::path weights_file(const ModelCommand& c) {
  if (!fs::exists(c.run)) throw UserError(cat(c.run.string(), ": is not there"));
  return fs::is_directory(c.run) ? weights_of(c.run, c.weights) : c.run;
}

/// A file's rows, each of `row`'s number of elements and finite; NaN may be allowed.
StoredRows rows_in(const std::string& file, const Shape& row, bool nan_allowed) {
  StoredRows rows = read_rows(file);
  const int64_t n = rows.count(), width = elements(row);
  if (n == 0 || rows.width() != width)
    throw UserError(cat(file, ": the rows are ", to_string(rows.type()),
                        ", this part of the model takes rows of ", to_string(row)));
  if (rows.is_sparse()) return rows;  // its entries are finite
  const HostTensor reals = to_f32(rows.array());
  const auto values = reals.as<float>();
  for (int64_t i = 0; i < n * width; ++i) {
    const bool nan = std::isnan(values[i]);
    if (std::isfinite(values[i]) || (nan && nan_allowed)) continue;
    throw UserError(cat(file, ": row ", i / width, ", column ", i % width, " (both from 0) is ",
                        nan ? "NaN" : "infinite"));
  }
  return rows;
}

/// The rows to work on, in the data's units.
StoredRows rows_of(const ModelCommand& c, const Runner& runner) {
  const SavedModel& saved = runner.saved();
  if (!c.data.empty()) return rows_in(c.data, saved.row, !saved.data.at("missing").is("refuse"));
  const DataSet data = load_data(saved.data, saved.seed);
  if (data.test.count() == 0) throw UserError("the run has no test rows: name a file with --data");
  return data.test;
}

void save(const ModelCommand& c, const HostTensor& result) {
  write_rows(c.output, result);
  std::cout << c.output.string() << ": " << to_string(result.type) << '\n';
}

}  // namespace

void evaluate_command(const ModelCommand& c, const std::vector<std::string>& overrides) {
  const fs::path weights = weights_file(c);
  if (!fs::is_directory(c.run))
    throw UserError(cat(c.run.string(), ": evaluate takes a run folder"));
  const Value trained = read_run_config(c.run);
  Value config = trained;
  for (const std::string& o : overrides) set_path(config, o);
  if (!c.data.empty()) config.at("data").set("test", Value(fs::absolute(c.data).string()));
  config = resolve_config(config, config.at("name").as_string());
  for (const std::string& key : differing_keys(trained.at("model"), config.at("model")))
    throw UserError(cat("--set model.", key, ": evaluate takes the model as it was trained"));
  Experiment e = make_experiment(config);
  Runner runner(weights, open_device(c.device));
  if (e.data.shape != runner.saved().row)
    throw UserError(cat("the rows are ", to_string(e.data.shape), ", the model takes rows of ",
                        to_string(runner.saved().row)));
  // Fitted on the rows that the model was trained on, whatever it is scored on.
  e.data.shift = runner.saved().shift;
  e.data.scale = runner.saved().scale;
  if (e.data.targets) {
    e.data.targets->shift = runner.saved().target_shift;
    e.data.targets->scale = runner.saved().target_scale;
  }
  const SplitMetrics test{"test", evaluate_weights(e, runner, "test")};
  std::cout << run_footer(
      {.name = e.config.at("name").as_string(), .metrics = {&test, 1}, .report = ""});
}

void encode_command(const ModelCommand& c) {
  Runner runner(weights_file(c), open_device(c.device));
  const StoredRows rows = rows_of(c, runner);
  save(c, runner.run(View::encoder, runner.scaled(rows)));
}

void decode_command(const ModelCommand& c) {
  if (c.data.empty()) throw UserError("decode: name a file of codes with --data");
  Runner runner(weights_file(c), open_device(c.device));
  const HostTensor codes = to_f32(rows_in(c.data, runner.model().code_shape(), false).dense());
  save(c, runner.in_units(runner.run(View::decoder, codes)));
}

void reconstruct_command(const ModelCommand& c) {
  Runner runner(weights_file(c), open_device(c.device));
  const StoredRows rows = rows_of(c, runner);
  save(c, runner.in_units(runner.run(View::autoencoder, runner.scaled(rows))));
}

std::string info_text(const std::string& topic) {
  if (topic == "parts") return describe_parts();
  if (topic == "metrics") return describe_metrics();
  if (topic == "data") return describe_sources();
  std::string devices;
  for (const char* name : {"cpu", "auto"}) {
    const auto device = open_device(name);
    const std::string line = cat(device->name(), ", ", device->description(), "\n");
    if (devices.find(line) == std::string::npos) devices += line;
  }
  if (topic == "devices") return devices;
  std::string text = cat("latent ", version(), ", commit ", commit(), "\n");
  for (const auto& [name, v] : library_versions()) text += cat("  ", name, " ", v, "\n");
  return text + "\nDevices\n" + devices +
         "\nMore: latent info parts (every part and its options), data, metrics, devices\n";
}

}  // namespace latent
