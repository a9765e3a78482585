// A batch whose input is corrupted as it is gathered: the noise of denoising autoencoders (Vincent
// et al. 2008, 2010), and the cells that count in no loss.
#pragma once

#include <limits>
#include <vector>

#include "core/train/schedule.h"
#include "kernels/data/gather.h"

namespace latent {

/// What is done to every element of a scaled row, each on its own:
///   masking          0 with probability `amount`
///   dropout          the same, and the others are divided by 1 - amount
///   salt_and_pepper  lo or hi, each with probability amount / 2
///   gaussian         amount times a standard normal is added, then it is clipped to [lo, hi]
/// `schedule` is a factor on the amount; a probability is cut at 1.
struct Corruption {
  enum class Kind { masking, gaussian, salt_and_pepper, dropout };
  static constexpr float kInfinity = std::numeric_limits<float>::infinity();

  Kind kind = Kind::masking;
  float amount = 0;
  float lo = -kInfinity, hi = kInfinity;
  Schedule schedule = {};
  /// What an element counts: where the corruption struck (under gaussian: everywhere), and where not.
  float struck = 1, spared = 1;
  uint64_t stream = stream_of("corruption");  ///< of the draws

  bool operator==(const Corruption&) const = default;
};

/// The inputs of a Gather -> input f32[batch, d...], and, where they are asked for, behind it
/// clean f32[batch, d...], the same before the corruptions, and weights f32[batch, d...], what each
/// element counts. All in one launch, and nothing is stored of what was drawn.
///
/// Corruptions act in their order, the weights of all of them multiply. Draws are anew at each
/// presentation, a function of (seed, step, stream, element of the batch); under `fixed` they belong
/// to the example, and schedules count as 1. Under `missing` a NaN is 0, before and behind the
/// corruptions, and has the weight 0.
struct CorruptedGather {
  static constexpr const char* name = "gather.corrupted";
  static constexpr int kMaxCorruptions = 4;

  Gather gather;
  std::vector<Corruption> corruptions;
  bool fixed = false;
  bool missing = false;
  bool clean = false, weights = false;  ///< outputs

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  Cost cost(const Signature& s) const;
  bool operator==(const CorruptedGather&) const = default;
};

}  // namespace latent
