// The kernel of what broadcasts: a functor of two variables over a Walk.
#pragma once

#include "kernels/skeleton/for_each.h"
#include "kernels/structural/walk.h"

namespace latent {

/// out[r, c] = F(a, b); the inputs' strides along c are A and B, 0 or 1.
template <class F, class T, int A, int B, bool kDeep>
struct BroadcastBody {
  const T *a, *b;
  T* out;
  Walk walk;
  LATENT_HD void operator()(int64_t r, int64_t c) const {
    const T x = a[walk.start<kDeep>(r, walk.a) + A * c];
    const T y = b[walk.start<kDeep>(r, walk.b) + B * c];
    out[r * walk.size[0] + c] = F::apply(x, y);
  }
  LATENT_HD void operator()(int64_t i) const { out[i] = F::apply(a[A * i], b[B * i]); }
};

template <class F, int A, int B, class T>
void broadcast_strided(Stream& stream, const Walk& w, const T* a, const T* b, T* out) {
  if (w.rank == 1)
    for_each(stream, w.cols(), BroadcastBody<F, T, A, B, false>{a, b, out, w});
  else if (w.rank == 2)
    for_each_row(stream, w.rows(), w.cols(), BroadcastBody<F, T, A, B, false>{a, b, out, w});
  else
    for_each_row(stream, w.rows(), w.cols(), BroadcastBody<F, T, A, B, true>{a, b, out, w});
}

/// out = F(a, b) elementwise, broadcast from the right.
template <class F, class T>
void broadcast(Stream& stream, const Walk& w, const T* a, const T* b, T* out) {
  if (w.a[0] == w.b[0])
    broadcast_strided<F, 1, 1>(stream, w, a, b, out);
  else if (w.a[0] != 0)
    broadcast_strided<F, 1, 0>(stream, w, a, b, out);
  else
    broadcast_strided<F, 0, 1>(stream, w, a, b, out);
}

}  // namespace latent
