#include "core/plan/program.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>

#include "core/device/library_time.h"
#include "core/graph/passes.h"

namespace latent {
namespace {

bool checks_memory(const Device& device) { return device.name() == "simt"; }

template <class T>
bool all_finite(const HostTensor& t) {
  return std::ranges::all_of(t.as<T>(), [](T v) { return std::isfinite(v); });
}

/// Runs `work`; where `times` are wanted, waits for it and adds its own.
template <class Work>
void run_node(Device& device, int node, std::vector<NodeTime>* times, const Work& work) {
  if (!times) return work();
  LibraryTime& library = device.slot<LibraryTime>();
  device.synchronize();
  library.start();
  const auto begin = std::chrono::steady_clock::now();
  work();
  device.synchronize();
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  times->push_back({node, taken.count(), library.stop()});
}

}  // namespace

/// Captured graphs of one step and of many, and the replays in flight.
struct Program::Replay {
  std::unique_ptr<CapturedGraph> one, many;
  std::deque<std::unique_ptr<Fence>> in_flight;

  /// The host stays at most two replays ahead, so that a signal is seen soon.
  void launch(CapturedGraph& graph, Device& device, Stream& stream) {
    graph.launch(stream);
    in_flight.push_back(device.fence(stream));
    while (in_flight.size() > 2) {
      in_flight.front()->wait();
      in_flight.pop_front();
    }
  }
};

Program::Program(const Graph& graph, Store& store, const Options& options)
    : graph_(optimise(graph)), store_(store), device_(store.device()), options_(options) {
  store_.declare(graph_);
  plan_ = make_plan(graph_, device_,
                    {.reuse = options.reuse, .red_zone = checks_memory(device_) ? kBlockAlign : 0});
  bind();
}

Program::~Program() {
  device_.synchronize();
  replay_.reset();
  if (arena_) {
    device_.unpoison(arena_, plan_.arena_bytes);
    device_.release(arena_);
  }
  for (std::byte* p : persistent_)
    if (p) device_.release(p);
}

std::byte* Program::address(const Location& l) const {
  if (!l.variable.empty()) return static_cast<std::byte*>(store_.address(l.variable));
  if (!l.group.empty()) return static_cast<std::byte*>(store_.flat_address(l.group));
  if (persistent_[l.block]) return persistent_[l.block] + l.offset;
  return arena_ + plan_.blocks[l.block].offset + l.offset;
}

void Program::bind() {
  if (plan_.arena_bytes > 0) arena_ = static_cast<std::byte*>(device_.allocate(plan_.arena_bytes));
  for (const ArenaBlock& block : plan_.blocks) {
    persistent_.push_back(nullptr);
    if (!block.persistent) continue;
    const std::vector<std::byte> zeros(block.bytes);
    persistent_.back() = static_cast<std::byte*>(device_.allocate(block.bytes));
    device_.upload(persistent_.back(), zeros.data(), zeros.size());
  }
  const auto bound_of = [&](const Step& step) {
    Bound bound;
    for (const Location& l : step.in) bound.in.push_back(address(l));
    for (const Location& l : step.out) bound.out.push_back(address(l));
    if (step.workspace >= 0)
      bound.workspace = address({.variable = {}, .group = {}, .block = step.workspace});
    return bound;
  };
  for (const Step& step : plan_.constants) {
    const Bound bound = bound_of(step);
    if (step.kernel.run) step.kernel.run({bound.in, bound.out, bound.workspace, device_.stream()});
  }
  const int last = static_cast<int>(plan_.steps.size()) - 1;
  for (int at = 0; at <= last; ++at) {
    const Step& step = plan_.steps[at];
    Bound bound = bound_of(step);
    for (int b = 0; b < static_cast<int>(plan_.blocks.size()); ++b) {
      if (plan_.blocks[b].persistent) continue;
      if (plan_.blocks[b].first == at) bound.born.push_back(b);
      if (plan_.blocks[b].last == at) bound.dead.push_back(b);
    }
    bound_.push_back(std::move(bound));
  }
  if (arena_) device_.poison(arena_, plan_.arena_bytes);
}

void Program::set_alive(const std::vector<int>& blocks, bool alive) const {
  for (int b : blocks) {
    std::byte* begin = arena_ + plan_.blocks[b].offset;
    if (alive)
      device_.unpoison(begin, plan_.blocks[b].bytes);
    else
      device_.poison(begin, plan_.blocks[b].bytes);
  }
}

void Program::run_step(std::vector<NodeTime>* times) {
  Stream& stream = device_.stream();
  const int64_t before = stream.launches;
  for (size_t at = 0; at < plan_.steps.size(); ++at) {
    const Step& step = plan_.steps[at];
    const Bound& bound = bound_[at];
    set_alive(bound.born, true);
    if (step.kernel.run)
      run_node(device_, step.node, times, [&] {
        step.kernel.run({bound.in, bound.out, bound.workspace, stream});
      });
    if (options_.check) look_for_non_finite(step);
    set_alive(bound.dead, false);
  }
  const auto copy_all = [&] {
    for (const Copy& copy : plan_.copies) {
      device_.copy(stream, address(copy.to), address(copy.from), copy.bytes);
      if (stream.gpu) ++stream.launches;
    }
  };
  if (!plan_.copies.empty()) run_node(device_, -1, times, copy_all);
  launches_ = stream.launches - before;
}

void Program::look_for_non_finite(const Step& step) const {
  device_.synchronize();
  const Node& node = graph_.nodes()[step.node];
  for (size_t o = 0; o < step.out.size(); ++o) {
    HostTensor value(node.types[o]);
    if (node.types[o].dtype != DType::f32 && node.types[o].dtype != DType::f64) continue;
    device_.download(value.bytes.data(), address(step.out[o]), value.bytes.size());
    const bool fine =
        value.type.dtype == DType::f32 ? all_finite<float>(value) : all_finite<double>(value);
    if (fine) continue;
    std::string inputs;
    for (const Type& t : step.signature.in) inputs += (inputs.empty() ? "" : ", ") + to_string(t);
    throw NonFiniteError(cat(node.op.name(), node.label.empty() ? "" : " (" + node.label + ")",
                             " of ", inputs, " made a NaN or an infinity in step ", steps_ + 1,
                             " of this program"));
  }
}

void Program::run(int64_t steps) {
  const bool capture = options_.capture && !options_.check && device_.can_capture();
  Stream& stream = device_.stream();
  while (steps > 0) {
    if (!capture || steps_ == 0) {
      run_step();
      ++steps_, --steps;
      continue;
    }
    if (!replay_) replay_ = std::make_unique<Replay>();
    const int n = steps >= options_.unroll ? options_.unroll : 1;
    auto& graph = n > 1 ? replay_->many : replay_->one;
    if (!graph) {
      device_.begin_capture(stream);
      for (int i = 0; i < n; ++i) run_step();
      graph = device_.end_capture(stream);
    }
    replay_->launch(*graph, device_, stream);
    steps_ += n, steps -= n;
  }
}

std::vector<NodeTime> Program::profile(double seconds) {
  constexpr int kLeast = 9;
  std::vector<NodeTime> quickest;
  double taken = 0;
  for (int steps = 0; steps < kLeast || taken < seconds; ++steps, ++steps_) {
    std::vector<NodeTime> times;
    run_step(&times);
    for (size_t i = 0; i < times.size(); ++i) {
      taken += times[i].seconds;
      if (steps > 0 && quickest[i].seconds <= times[i].seconds) times[i] = quickest[i];
    }
    quickest = std::move(times);
  }
  return quickest;
}

HostTensor Program::output(const std::string& name) const {
  for (const auto& [n, location] : plan_.outputs) {
    if (n != name) continue;
    const Var v =
        std::ranges::find(graph_.outputs(), name, &std::pair<std::string, Var>::first)->second;
    HostTensor value(v.type());
    device_.synchronize();
    device_.download(value.bytes.data(), address(location), value.bytes.size());
    return value;
  }
  throw GraphError(cat("program: no output is named ", name));
}

}  // namespace latent
