// The mean of each column over the batches of a training.
#pragma once

#include <vector>

#include "core/graph/op.h"

namespace latent {

/// (h [rows, units...], running [units...], step u64[1]) -> (running', offset), both [units...]: running' = running +
/// share (mean of h - running) with share = max(1 / (step + 1), least), the plain mean of all batches until it becomes
/// an exponential one; offset = running' - mean of h. No gradient flows.
struct RunningMean {
  static constexpr const char* name = "running_mean";
  double least = 0.01;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  std::vector<Var> vjp(const Pullback& p) const { return std::vector<Var>(p.in.size()); }
  int overwrites(int output) const { return output == 0 ? 1 : -1; }
  Cost cost(const Signature& s) const;
  bool operator==(const RunningMean&) const = default;
};

}  // namespace latent
