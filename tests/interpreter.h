// The plainest way to run a graph: node by node, each output in memory of its own. What plans are
// compared with.
#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/device/device.h"
#include "core/graph/graph.h"
#include "core/tensor/host_tensor.h"

namespace latent {

using Values = std::map<std::string, HostTensor>;  ///< by variable

/// Runs the nodes that `wanted` depend on, with variables from `leaves`, and reads `wanted`.
class Interpreter {
 public:
  Interpreter(const Graph& graph, const Values& leaves, Device& device)
      : graph_(graph), leaves_(leaves), device_(device) {}
  ~Interpreter() {
    device_.synchronize();
    for (const auto& [key, p] : memory_) device_.release(p);
  }
  Interpreter(const Interpreter&) = delete;

  std::vector<HostTensor> run(std::span<const Var> wanted) {
    std::vector<bool> live(graph_.nodes().size());
    for (const Var& v : wanted) live[v.node] = true;
    for (size_t id = live.size(); id-- > 0;)
      if (live[id])
        for (const Var& in : graph_.nodes()[id].inputs) live[in.node] = true;
    for (size_t id = 0; id < live.size(); ++id)
      if (live[id]) run_node(static_cast<int>(id));
    device_.synchronize();
    std::vector<HostTensor> result;
    for (const Var& v : wanted) {
      HostTensor& t = result.emplace_back(v.type());
      device_.download(t.bytes.data(), memory_.at({v.node, v.output}), t.bytes.size());
    }
    return result;
  }

 private:
  void run_node(int id) {
    const Node& node = graph_.nodes()[id];
    std::vector<void*> out;
    for (int o = 0; o < static_cast<int>(node.types.size()); ++o)
      out.push_back(memory_[{id, o}] =
                        device_.allocate(std::max<size_t>(1, node.types[o].bytes())));
    if (node.leaf()) {
      const HostTensor& value = leaves_.at(node.variable);
      device_.upload(out[0], value.bytes.data(), value.bytes.size());
      return;
    }
    Signature s{.in = {}, .out = node.types};
    std::vector<const void*> in;
    for (const Var& v : node.inputs) {
      s.in.push_back(v.type());
      in.push_back(memory_.at({v.node, v.output}));
    }
    const Kernel kernel = node.op.prepare(s, device_);
    void* workspace = kernel.workspace ? device_.allocate(kernel.workspace) : nullptr;
    kernel.run({.in = in, .out = out, .workspace = workspace, .stream = device_.stream()});
    device_.synchronize();
    if (workspace) device_.release(workspace);
  }

  const Graph& graph_;
  const Values& leaves_;
  Device& device_;
  std::map<std::pair<int, int>, void*> memory_;
};

inline std::vector<HostTensor> interpret(const Graph& graph, const Values& leaves, Device& device,
                                         std::span<const Var> wanted) {
  return Interpreter(graph, leaves, device).run(wanted);
}

}  // namespace latent
