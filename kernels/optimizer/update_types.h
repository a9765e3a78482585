// The types that optimizers take.
#pragma once

#include <string_view>
#include <vector>

#include "core/graph/op.h"

namespace latent {

/// Throws the op's error unless the inputs are latch u64[1], step u64[1], then p, g and `states`
/// more of one real type and shape, and at the end nothing or the clipping factor, one value of
/// that type. Returns the types of p' and of the new states.
std::vector<Type> infer_update(std::string_view op, Types in, int states);

/// Throws the op's error unless the first inputs are latch u64[1], step u64[1] and a real tensor.
void require_counters(std::string_view op, Types in);

}  // namespace latent
