// What becomes of a variable at the end of a step: its new value, unless the step is void.
#pragma once

#include <vector>

#include "core/graph/op.h"

namespace latent {

/// (latch u64[1], old, new) -> new where the latch is 0, else old; both of one f32 or f64 type. May
/// take the memory of old; no gradient.
struct Unless {
  static constexpr const char* name = "unless";
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  int overwrites(int) const { return 1; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 0); }
  bool operator==(const Unless&) const = default;
};

}  // namespace latent
