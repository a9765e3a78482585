// `waves`: time series drawn by code, alike in spirit to heartbeats, so that recurrent models and the search for anomalies
// can be tried without a download.
//
// A beat is a few bumps (P, QRS, T) on a slow drift, each with its own height, width and delay, read in a warped time, with
// a little noise. Four in five rows are normal (label 0); the others are ectopic (1: early, broad, T inverted), raised (2:
// the stretch between QRS and T is lifted), fluttering (3: quick waves in the place of P) or double (4: a second, smaller
// beat). All of them vary, so that none is told from normal by one value alone.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor/host_tensor.h"

namespace latent {

inline constexpr int kWaveSteps = 140;

struct Waves {
  HostTensor rows;              ///< f32[count, 140, 1]
  std::vector<uint8_t> labels;  ///< 0 normal, 1 to 4 the kinds of anomaly
};

/// Row i is a function of (data_seed, i) alone, the same on every machine: fewer rows are the first of more.
Waves make_waves(int64_t count, uint64_t data_seed);

}  // namespace latent
