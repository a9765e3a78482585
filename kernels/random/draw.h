// Draws of a named stream: the random numbers of core/random/philox.h as an op.
#pragma once

#include <vector>

#include "core/graph/op.h"

namespace latent {

/// (seed u64[1], step u64[1]) -> f32 of `shape`: element i is that of the stream at this step.
struct Draw {
  static constexpr const char* name = "draw";
  enum class Kind { uniform, normal, bernoulli, rademacher };
  /// [0, 1); mean 0, variance 1; 1 with probability p, else 0; 1 or -1.
  Kind kind = Kind::uniform;
  uint64_t stream = 0;  ///< stream_of("corruption")
  Shape shape;
  float p = 0.5f;  ///< of bernoulli

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 20); }
  bool operator==(const Draw&) const = default;
};

}  // namespace latent
