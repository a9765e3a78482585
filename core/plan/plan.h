// The plan of one step: which nodes run, in which order, and where every tensor lies. Made once;
// nothing is allocated afterwards.
//
// Liveness is over the places of live nodes. An output takes its input's memory where the op allows
// it and nobody reads the input later. The rest is laid out in one arena: largest first, each at
// the lowest offset free over its whole life. What depends on no variable is computed once, into
// memory of its own.
#pragma once

#include <string>
#include <vector>

#include "core/graph/graph.h"

namespace latent {

/// Where a tensor lies: in a variable, in a group's flat buffer, or in a block of the plan.
struct Location {
  std::string variable, group;
  int block = -1;
  size_t offset = 0;  ///< bytes into it
  bool operator==(const Location&) const = default;
};

/// Memory of the plan, alive from step `first` to step `last` (both included).
struct ArenaBlock {
  size_t bytes = 0;
  int first = 0, last = 0;
  size_t offset = 0;        ///< in the arena
  bool persistent = false;  ///< zeroed once, outside of the arena, never reused
};

struct Step {
  int node = -1;
  Signature signature;
  Kernel kernel;
  Cost cost;
  std::vector<Location> in, out;
  int workspace = -1;  ///< block
};

/// An assignment that could not be done in place: done after the last step.
struct Copy {
  Location from, to;
  size_t bytes = 0;
};

struct Plan {
  std::vector<Step> constants;  ///< done once, before the first step
  std::vector<Step> steps;
  std::vector<Copy> copies;
  std::vector<ArenaBlock> blocks;
  std::vector<std::pair<std::string, Location>> outputs;
  size_t arena_bytes = 0;
  size_t arena_bytes_without_reuse = 0;
  size_t persistent_bytes = 0;

  Cost total() const;
};

struct PlanOptions {
  bool reuse = true;    ///< false: every tensor has memory of its own (the oracle for tests)
  size_t red_zone = 0;  ///< bytes left free behind each block, where a checking device poisons them
  bool prepare = true;  ///< false: types, places and costs only
};

constexpr size_t kBlockAlign = 256;

Plan make_plan(const Graph& graph, Device& device, const PlanOptions& options = {});

}  // namespace latent
