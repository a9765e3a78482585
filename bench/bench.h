// The two lists of benches, registered with Google Benchmark by main. Each measures a median itself and hands it over
// as the time of its one iteration.
#pragma once

#include <memory>
#include <vector>

#include "core/device/device.h"

namespace latent {

using Devices = std::vector<std::shared_ptr<Device>>;

/// kernel/<sample>/<device>: every sample of an op that says `bench`.
void register_kernels(const Devices& devices);

/// step/<workload>/<batch>/<device>: training steps.
void register_steps(const Devices& devices);

}  // namespace latent
