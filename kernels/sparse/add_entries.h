// A row's entries added to a dense row by one warp, in their order.
#pragma once

#include "kernels/skeleton/launch.h"
#include "kernels/sparse/csr.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// row[column] += factor value. Entries of one column among the 32 that a warp takes at a time are
/// added up by the first of them.
template <class T, class Entries>
LATENT_KERNEL void add_entries(Thread& t, const Entries& entries, int64_t r, T factor, T* row) {
  const int64_t begin = entries.begin(r), end = entries.end(r);
  for (int64_t first = begin; first < end; first += 32) {
    const int64_t k = first + t.lane();
    const int32_t column = k < end ? entries.columns[k] : -1;
    const T value = k < end ? entries.value(r, k) : T(0);
    T total = 0;
    bool alone = column >= 0;
    for (int l = 0; l < 32; ++l) {
      const int32_t other = t.shuffle(column, l);
      const T more = t.shuffle(value, l);
      if (other != column) continue;
      total += more;
      if (l < t.lane()) alone = false;
    }
    if (alone) row[column] += factor * total;
    t.sync_warp();
  }
}

}  // namespace LATENT_BACKEND
}  // namespace latent
