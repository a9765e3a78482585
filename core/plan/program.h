// A planned graph on a device, bound to the variables of a store: runs steps.
//
// On a GPU that can capture, the first step runs node by node, later ones are replays of a CUDA
// graph that unrolls many steps. Everything that changes from step to step lies in device memory,
// so a replay needs nothing from the host.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/plan/plan.h"
#include "core/plan/store.h"

namespace latent {

/// A value became NaN or infinite in a checked run: names the op, the place and the step.
class NonFiniteError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// How long a node of a step took.
struct NodeTime {
  int node = -1;       ///< of the program's graph; -1: the copies behind the last node
  double seconds = 0;  ///< in all
  double library = 0;  ///< of these, in library calls: see core/device/library_time.h
};

class Program {
 public:
  struct Options {
    bool check =
        false;  ///< after each node, its real outputs are looked through for NaN and infinity
    bool reuse = true;    ///< see PlanOptions
    bool capture = true;  ///< replay captured graphs where the device can
    int unroll = 32;      ///< steps a replay
  };

  /// Declares the graph's variables in the store, optimises, plans and prepares.
  Program(const Graph& graph, Store& store) : Program(graph, store, Options()) {}
  Program(const Graph& graph, Store& store, const Options& options);
  ~Program();
  Program(const Program&) = delete;

  /// Queues `steps` steps; on the CPU they are done at return. Throws NonFiniteError in a checked
  /// run.
  void run(int64_t steps = 1);

  /// Runs further steps, node by node, for about `seconds` and at least nine, and takes the time of
  /// every node that has work, in the order of the plan: of its quickest run, which what else the
  /// machine does has disturbed least. On a GPU the host waits for each node and each library call,
  /// so that a short one takes as long as its launch.
  std::vector<NodeTime> profile(double seconds = 0);

  /// A named output of the last step.
  HostTensor output(const std::string& name) const;

  const Plan& plan() const { return plan_; }
  const Graph& graph() const { return graph_; }
  /// Launches of the last step that ran node by node.
  int64_t launches() const { return launches_; }

 private:
  struct Bound {
    std::vector<const void*> in;
    std::vector<void*> out;
    void* workspace = nullptr;
    std::vector<int> born, dead;  ///< blocks whose life begins or ends here
  };
  struct Replay;

  std::byte* address(const Location& l) const;
  void bind();
  void run_step(std::vector<NodeTime>* times = nullptr);
  void look_for_non_finite(const Step& step) const;
  void set_alive(const std::vector<int>& blocks, bool alive) const;

  Graph graph_;
  Store& store_;
  Device& device_;
  Options options_;
  Plan plan_;
  std::vector<Bound> bound_;
  std::byte* arena_ = nullptr;
  std::vector<std::byte*> persistent_;  ///< by block; null where it lies in the arena
  std::unique_ptr<Replay> replay_;
  int64_t steps_ = 0, launches_ = 0;
};

}  // namespace latent
