// The command line.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "core/base/error.h"
#include "core/base/version.h"
#include "experiments/commands.h"
#include "experiments/plan.h"
#include "experiments/run.h"

namespace latent {
namespace {

struct Arguments {
  std::vector<std::filesystem::path> files;
  std::vector<std::string> set;
  std::string device, gpu = "H200", topic;
  RunOptions run;
  ModelCommand model;

  /// --device is `--set device=...` of a file.
  std::vector<std::string> overrides() const {
    std::vector<std::string> all = set;
    if (!device.empty()) all.push_back("device=" + device);
    return all;
  }
};

void add_run(CLI::App& app, Arguments& a, int& code) {
  CLI::App* run =
      app.add_subcommand("run", "train, evaluate and draw experiments; a sweep: all of its runs");
  run->add_option("FILE", a.files, "experiment files (YAML)")->required();
  run->add_option("--set", a.set, "override a key: --set train.epochs=5")
      ->type_name("a.b=c")
      ->allow_extra_args(false);
  run->add_option("--device", a.device, "auto, cpu, cuda, cuda:N");
  run->add_option("--out", a.run.out, "folder of all runs")->capture_default_str();
  run->add_flag("--dry-run", a.run.dry_run, "say what would run, and print the resolved files");
  run->add_flag("--resume", a.run.resume, "go on with an unfinished run, to the same bits");
  run->add_flag("--overwrite", a.run.overwrite, "replace what is in the run's folder");
  run->add_flag("--check", a.run.check,
                "node by node; names the first op that makes a NaN or an infinity");
  run->add_option("--checkpoint-seconds", a.run.checkpoint_seconds,
                  "least time between two checkpoints")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  run->callback([&] { code = run_experiments(a.files, a.overrides(), a.run); });
}

void add_plan(CLI::App& app, Arguments& a) {
  CLI::App* plan = app.add_subcommand(
      "plan", "every kernel of a training step, its cost, and the floor on a GPU");
  plan->add_option("FILE", a.files, "an experiment file")->required()->expected(1);
  plan->add_option("--set", a.set, "override a key")->type_name("a.b=c")->allow_extra_args(false);
  plan->add_option("--gpu", a.gpu, "of the floor: H200, H100, A100")->capture_default_str();
  plan->add_option("--device", a.device, "for compatibility with run: the plan is that of CUDA");
  plan->callback([&] { std::cout << plan_text(a.files.front().string(), a.overrides(), a.gpu); });
}

void add_profile(CLI::App& app, Arguments& a) {
  CLI::App* profile =
      app.add_subcommand("profile", "the time of every kernel of a training step, on this machine");
  profile->add_option("FILE", a.files, "an experiment file")->required()->expected(1);
  profile->add_option("--set", a.set, "override a key")
      ->type_name("a.b=c")
      ->allow_extra_args(false);
  profile->add_option("--device", a.device, "auto, cpu, cuda, cuda:N");
  profile->callback([&] { std::cout << profile_text(a.files.front().string(), a.overrides()); });
}

void add_model_command(CLI::App& app, Arguments& a, const std::string& name,
                       const std::string& text, const std::string& rows, bool writes,
                       std::function<void()> callback) {
  CLI::App* command = app.add_subcommand(name, text);
  command->add_option("RUN", a.model.run, "a run folder or a .safetensors file of weights")
      ->required();
  command->add_option("--data", a.model.data, rows);
  if (writes)
    command->add_option("-o,--output", a.model.output, "file to write: .npy, .csv or .safetensors")
        ->required();
  else
    command->add_option("--set", a.set, "override a key of the run's configuration")
        ->type_name("a.b=c")
        ->allow_extra_args(false);
  command->add_option("--weights", a.model.weights, "last or best; default: what the run keeps")
      ->check(CLI::IsMember({"last", "best"}));
  command->add_option("--device", a.model.device, "auto, cpu, cuda, cuda:N")->capture_default_str();
  command->callback(std::move(callback));
}

int command_line(int argc, char** argv) {
  CLI::App app{"latent: every autoencoder is a choice of six parts"};
  app.set_version_flag("--version", cat("latent ", version(), ", commit ", commit()));
  app.require_subcommand(1);
  Arguments a;
  int code = 0;
  add_run(app, a, code);
  add_plan(app, a);
  add_profile(app, a);
  const std::string rows =
      "file of rows (.npy .npz .csv .safetensors idx); default: the run's test rows";
  add_model_command(app, a, "evaluate", "the metrics of a trained model", rows, false,
                    [&] { evaluate_command(a.model, a.set); });
  add_model_command(app, a, "encode", "rows to codes", rows, true,
                    [&] { encode_command(a.model); });
  add_model_command(app, a, "decode", "codes to data", "file of codes", true,
                    [&] { decode_command(a.model); });
  add_model_command(app, a, "reconstruct", "rows to what the model makes of them", rows, true,
                    [&] { reconstruct_command(a.model); });
  CLI::App* info =
      app.add_subcommand("info", "what this binary has: parts, data, metrics, devices");
  info->add_option("TOPIC", a.topic, "parts, data, metrics or devices")
      ->check(CLI::IsMember({"parts", "data", "metrics", "devices"}));
  info->callback([&] { std::cout << info_text(a.topic); });
  CLI::App* data = app.add_subcommand("data", "the registered data sets");
  data->require_subcommand(1);
  data->add_subcommand("list", "all sources, and whether their files are there")->callback([] {
    std::cout << info_text("data");
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return code;
}

}  // namespace
}  // namespace latent

/// Threads that spin between parallel loops are the fastest on an idle machine, but stall each other for
/// milliseconds as soon as anything else runs. libgomp reads its policy before main, hence the second start.
void wait_politely(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  ::setenv("GOMP_SPINCOUNT", "1000", 1);
  ::execv("/proc/self/exe", argv);  // where that fails, the default has to do
}

/// On one line, also where it quotes the bytes of a damaged file.
int report(const std::exception& error, int code) {
  std::string text = error.what();
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  std::cerr << "error: " << text << '\n';
  return code;
}

int main(int argc, char** argv) {
  wait_politely(argv);
  try {
    return latent::command_line(argc, argv);
  } catch (const latent::UserError& error) {
    return report(error, 2);
  } catch (const std::exception& error) {
    return report(error, 1);
  }
}
