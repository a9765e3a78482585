// Reductions with one fixed order on every device: a range is cut into `warps` contiguous chunks, a
// chunk into 32 interleaved lanes that run in order, and lanes, then chunks, are combined by the
// same tree. The order depends on the size alone, so CPU and GPU give the same bits where the
// mapped values do.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/skeleton/cpu.h"
#include "kernels/skeleton/launch.h"

namespace latent {

/// A monoid has identity<A>() and combine(a, b), A being what the mapped functor returns.
struct Sum {
  template <class A>
  static LATENT_HD A identity() {
    return A(0);
  }
  template <class A>
  static LATENT_HD A combine(A a, A b) {
    return a + b;
  }
};

/// The greatest value; NaN if there is one.
struct Max {
  template <class A>
  static LATENT_HD A identity() {
    if constexpr (std::numeric_limits<A>::has_infinity) return -std::numeric_limits<A>::infinity();
    return std::numeric_limits<A>::lowest();
  }
  template <class A>
  static LATENT_HD A combine(A a, A b) {
    return a > b || a != a ? a : b;
  }
};

namespace fold {

inline constexpr int kLanes = 32;

LATENT_HD constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Length of the contiguous piece that one of `warps` warps reduces: a multiple of 32.
LATENT_HD constexpr int64_t chunk(int64_t n, int warps) {
  return ceil_div(ceil_div(n, warps), kLanes) * kLanes;
}

/// The tree over 32 lanes: xor 16, 8, 4, 2, 1.
template <class M, class A>
LATENT_CPU_BODY A tree(A (&lanes)[kLanes]) {
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int l = 0; l < width; ++l) lanes[l] = M::combine(lanes[l], lanes[l + width]);
  return lanes[0];
}

/// f over [begin, end) as one warp does it.
template <class M, class A, class F>
LATENT_CPU_BODY A cpu_warp(int64_t begin, int64_t end, const F& f) {
  A lanes[kLanes];
  for (int l = 0; l < kLanes; ++l) lanes[l] = M::template identity<A>();
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
#pragma omp simd
    for (int l = 0; l < kLanes; ++l) lanes[l] = M::combine(lanes[l], f(i + l));
  }
  const int rest = static_cast<int>(end - i);
#pragma omp simd
  for (int l = 0; l < rest; ++l) lanes[l] = M::combine(lanes[l], f(i + l));
  return tree<M>(lanes);
}

/// f over [0, n) as a block of Warps warps does it.
template <class M, int Warps, class A, class F>
LATENT_CPU_BODY A cpu_block(int64_t n, const F& f) {
  static_assert(Warps <= kLanes);
  if constexpr (Warps == 1) return cpu_warp<M, A>(0, n, f);
  A warps[kLanes];
  const int64_t piece = chunk(n, Warps);
  for (int w = 0; w < kLanes; ++w) {
    const int64_t begin = std::min(n, w * piece);
    warps[w] = w < Warps ? cpu_warp<M, A>(begin, std::min(n, begin + piece), f)
                         : M::template identity<A>();
  }
  return tree<M>(warps);
}

template <class M, class A>
LATENT_KERNEL A gpu_tree(Thread& t, A a) {
  for (int width = kLanes / 2; width > 0; width /= 2) a = M::combine(a, t.shuffle_xor(a, width));
  return a;
}

/// f over [0, n) by one warp; every lane gets the result.
template <class M, class A, class F>
LATENT_KERNEL A gpu_warp(Thread& t, int64_t begin, int64_t end, const F& f) {
  A a = M::template identity<A>();
  for (int64_t i = begin + t.lane(); i < end; i += kLanes) a = M::combine(a, f(i));
  return gpu_tree<M>(t, a);
}

/// f over [0, n) by the block's Warps warps; every thread gets the result. Once a kernel.
template <class M, int Warps, class A, class F>
LATENT_KERNEL A gpu_block(Thread& t, int64_t n, const F& f) {
  static_assert(Warps <= kLanes);
  SHARED(A, warps, Warps);
  const int64_t piece = chunk(n, Warps);
  const int64_t begin = t.warp() * piece;
  const A a = gpu_warp<M, A>(t, begin, n < begin + piece ? n : begin + piece, f);
  if (t.lane() == 0) warps[t.warp()] = a;
  t.sync();
  return gpu_tree<M>(t, t.lane() < Warps ? warps[t.lane()] : M::template identity<A>());
}

}  // namespace fold
}  // namespace latent
