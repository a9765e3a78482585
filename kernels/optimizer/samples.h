// Samples of the optimizers, for their files.
#pragma once

#include <string>

#include "core/graph/samples.h"
#include "kernels/optimizer/optimizer.h"

namespace latent {

/// One update of n parameters at some step from 1 to 9, with or without a factor on the gradient.
Sample optimizer_sample(const std::string& name, const AnyOp& op, int states, int64_t n,
                        bool clip = false, bool bench = false);

}  // namespace latent
