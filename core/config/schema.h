// The keys of an experiment's file, each with its type, default, allowed values and a line of text.
#pragma once

#include <vector>

#include "core/config/domain.h"

namespace latent {

/// name, seed, device, precision, data, model, train, evaluate, figures: what a resolved configuration holds.
const std::vector<Option>& experiment_keys();

/// `extends` and `sweep`: they say which runs there are, and are spelt out before a run is resolved.
const std::vector<Option>& file_keys();

}  // namespace latent
