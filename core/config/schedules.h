// SCHEDULE of an experiment as the Schedule that the device evaluates.
#pragma once

#include <cstdint>

#include "core/config/value.h"
#include "core/train/schedule.h"

namespace latent {

/// A resolved choice of the family `schedule`, its durations in steps of this training.
/// Throws UserError: a warm-up that does not end before its schedule, points that do not ascend or are too many.
Schedule as_schedule(const Value& choice, double steps_per_epoch, int64_t total_steps);

}  // namespace latent
