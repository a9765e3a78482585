// x' = (x - shift) * scale, fitted on the train rows.
#pragma once

#include "core/data/options.h"
#include "core/data/stored_rows.h"

namespace latent {

struct Scaling {
  HostTensor shift, scale;  ///< f32 [1], or one for each element of a row
};

/// x' = x.
Scaling no_scaling();

/// unit: x / unit. standard: mean 0 and deviation 1 of each element (n in the denominator); minmax: each in [0, 1];
/// an element that is constant is divided by 1. rms: one factor, the mean squared norm of a row becomes its width. auto:
/// unit for u8, none for sparse rows and reals in [0, 1], else standard. NaN is left out. Throws UserError for `unit`
/// where the rows are reals in [0, 1] already, and for `standard` and `minmax`, which shift, where they are sparse.
Scaling fit_scaling(const StoredRows& train, Scale how, double unit);

}  // namespace latent
