// Corruption: what is done to the input before the encoder sees it. The output still has to match the clean one.
#pragma once

#include <vector>

#include "core/config/value.h"
#include "kernels/data/corrupt.h"
#include "models/objective.h"

namespace latent {

/// The corruptions of a resolved `model.corruption` (none, a choice, a list in its order). `lo` and `hi` are what salt
/// and pepper make of an element. Without a length schedules count as 1. Streams are those of `build`. Throws UserError:
/// a clip that is no range, more than the kernel takes.
std::vector<Corruption> make_corruptions(const Value& corruption, const Build& build, float lo,
                                         float hi, const TrainingLength* length = nullptr);

/// Throws what make_corruptions would.
void check_corruptions(const Value& corruption);

/// Throws UserError for what fills the zeros of sparse rows: noise that is no masking or dropout, and an emphasis.
void check_corruptions_of_sparse_rows(const Value& corruption);

bool has_corruption(const Value& corruption);
/// Does any of them weigh elements by whether it struck?
bool has_emphasis(const Value& corruption);

}  // namespace latent
