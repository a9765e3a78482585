// A schedule as a value of the graph: it scales a penalty or a rate as training goes on.
#pragma once

#include <vector>

#include "core/graph/op.h"
#include "core/train/schedule.h"

namespace latent {

/// step u64[1], the steps done before this one -> f32 []: weight schedule(step).
struct ScheduleFactor {
  static constexpr const char* name = "schedule_factor";
  Schedule schedule = {};
  float weight = 1;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 1); }
  bool operator==(const ScheduleFactor&) const = default;
};

}  // namespace latent
