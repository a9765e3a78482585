#include "experiments/plan.h"

#include <algorithm>

#include "core/config/experiment.h"
#include "core/graph/passes.h"
#include "core/plan/plan.h"
#include "core/plan/program.h"
#include "core/report/number.h"
#include "core/terminal/text_table.h"
#include "experiments/experiment.h"
#include "kernels/matmul/cublaslt.h"

namespace latent {
namespace {

/// Rates that a kernel cannot exceed, and the time of one dependent node of a CUDA graph.
struct Gpu {
  const char* name;
  double fp32, tf32;  ///< FLOP/s of a matrix product
  double bytes;       ///< bytes/s, read + write
  double node;        ///< seconds
};
constexpr Gpu kGpus[] = {
    {"H200", 60e12, 395e12, 4.3e12, 1.3e-6},
    {"H100", 60e12, 395e12, 3.0e12, 1.3e-6},
    {"A100", 19.5e12, 156e12, 1.8e12, 1.7e-6},
};

const Gpu& find_gpu(const std::string& name) {
  std::string known;
  for (const Gpu& gpu : kGpus) {
    if (name == gpu.name) return gpu;
    known += cat(known.empty() ? "" : ", ", gpu.name);
  }
  throw UserError(cat("--gpu ", name, ": known are ", known));
}

std::string shapes(const std::vector<Type>& types) {
  std::string text;
  for (const Type& t : types) text += (text.empty() ? "" : " ") + to_string(t);
  return text;
}

std::string microseconds(double seconds) { return format_number(seconds * 1e6, 3) + " us"; }

}  // namespace

std::string plan_text(const std::string& file, const std::vector<std::string>& overrides,
                      const std::string& gpu_name) {
  const Gpu& gpu = find_gpu(gpu_name);
  const std::vector<RunSpec> specs = load_experiment(file, overrides);
  const Experiment e = make_experiment(specs.front().config);
  std::vector<std::string> notes;
  const Graph graph =
      optimise(training_graph(*e.model, split_source(e, "train"), e.training, nullptr, &notes));
  const std::shared_ptr<Device> cpu = open_device("cpu");
  const Plan plan = make_plan(graph, *cpu, {.prepare = false});

  TextTable table("rllrrr");
  table.row({"launches", "where", "kernel: inputs -> outputs", "MFLOP", "kB", "floor"});
  table.rule();
  const bool tf32 = e.config.at("precision").is("tf32");
  double floor = 0;
  const auto floor_of = [&](const Cost& c) {
    return std::max(c.flops / (tf32 ? gpu.tf32 : gpu.fp32), c.bytes / gpu.bytes);
  };
  for (const Step& step : plan.steps) {
    if (step.cost.launches == 0) continue;
    const Node& node = graph.nodes()[step.node];
    floor += floor_of(step.cost);
    table.row({std::to_string(step.cost.launches), node.label,
               cat(node.op.name(), ": ", shapes(step.signature.out)),
               format_number(step.cost.flops / 1e6, 3), format_number(step.cost.bytes / 1e3, 3),
               microseconds(floor_of(step.cost))});
  }
  for (const Copy& copy : plan.copies)
    table.row({"1", "assignment", cat("copy to ", copy.to.variable, copy.to.group), "0",
               format_number(2e-3 * static_cast<double>(copy.bytes), 3),
               microseconds(2 * static_cast<double>(copy.bytes) / gpu.bytes)});
  table.rule();
  const Cost total = plan.total();
  const double launches = total.launches * gpu.node;
  std::string text = table.str();
  for (const std::string& note : notes) text += cat("note      ", note, "\n");
  text +=
      cat("\nstep      ", format_number(total.flops / 1e6), " MFLOP, ", format_bytes(total.bytes),
          " to move\nmemory    arena ", format_bytes(static_cast<double>(plan.arena_bytes)),
          " (without reuse ", format_bytes(static_cast<double>(plan.arena_bytes_without_reuse)),
          "), gradients ", format_bytes(static_cast<double>(plan.persistent_bytes)), "\nfloor     ",
          gpu.name, ": arithmetic and memory ", microseconds(floor), ", ", total.launches,
          " dependent launches ", microseconds(launches), "; at best ",
          microseconds(std::max(floor, launches)), " a step, ",
          format_count(static_cast<int64_t>(static_cast<double>(e.training.batch) /
                                            std::max(floor, launches))),
          " examples a second\n", total.launches, " launches a step\n");
  return text;
}

std::string profile_text(const std::string& file, const std::vector<std::string>& overrides) {
  constexpr double kSeconds = 2;
  const Experiment e = make_experiment(load_experiment(file, overrides).front().config);
  Store store(open_device(e.config.at("device").as_string()));
  store.device().slot<MatmulPrecision>().tf32 = e.config.at("precision").is("tf32");
  Program program(training_graph(*e.model, split_source(e, "train"), e.training), store);
  upload_split(e, "train", store);
  const std::vector<NodeTime> times = program.profile(kSeconds);
  double total = 0, library = 0;
  for (const NodeTime& t : times) total += t.seconds, library += t.library;
  const auto percent = [](double share) { return format_number(100 * share, 3) + " %"; };
  TextTable table("rrrll");
  table.row({"time", "share", "library", "where", "kernel: inputs -> outputs"});
  table.rule();
  for (const NodeTime& t : times) {
    const Node* node = t.node < 0 ? nullptr : &program.graph().nodes()[t.node];
    table.row({microseconds(t.seconds), percent(t.seconds / total), percent(t.library / t.seconds),
               node ? node->label : "assignment",
               node ? cat(node->op.name(), ": ", shapes(node->types)) : "copies"});
  }
  table.rule();
  return cat(table.str(), "\nstep      ", microseconds(total), " node by node, ",
             percent(library / total), " of it in library calls\ndevice    ",
             store.device().description(), "\n");
}

}  // namespace latent
