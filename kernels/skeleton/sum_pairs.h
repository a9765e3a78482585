// sum_pairs: sums over pairs of rows of what one number of the pair and both rows' units say; the [rows, others, units]
// terms are never in memory.
#pragma once

#include "kernels/skeleton/body.h"
#include "kernels/skeleton/fold.h"

namespace latent {
inline namespace LATENT_BACKEND {

namespace skeleton {

/// Pairs whose weights are in hand at a time.
inline constexpr int kPairs = 256;
inline constexpr int kPairWarps = kPairs / fold::kLanes;

/// Terms of one pair and unit, one for each of the sums.
template <class T, int n>
struct PairTerms {
  T v[n];
  LATENT_HD void add(const PairTerms& other) {
    for (int k = 0; k < n; ++k) v[k] += other.v[k];
  }
};

/// Sum of f(u) over units; four at a time, so that CPUs make vectors of them.
template <class T, class F>
LATENT_HD T sum_units(int64_t units, const F& f) {
  constexpr int kWide = 4;
  T sums[kWide] = {};
  int64_t u = 0;
  for (; u + kWide <= units; u += kWide)
    for (int l = 0; l < kWide; ++l) sums[l] += f(u + l);
  for (int l = 0; l < kWide;
       ++l)  // not up to the rest: a constant index leaves the sums in registers
    if (u + l < units) sums[l] += f(u + l);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/// Adds a sum of the first or a later batch of pairs to where it goes, if it goes anywhere.
template <class T>
LATENT_HD void put_sum(T* out, int64_t unit, T sum, bool first) {
  if (out) out[unit] = first ? sum : out[unit] + sum;
}

template <class T, class F>
struct CpuSumPairs {
  static constexpr int kUnits = 64;
  int64_t others, units;
  F f;

  LATENT_CPU_BODY void operator()(int64_t r) const {
    for (int64_t first = 0; first < others; first += kPairs) {
      const auto pairs = static_cast<int>(std::min<int64_t>(kPairs, others - first));
      T weights[kPairs];
      for (int p = 0; p < pairs; ++p) weights[p] = f.weight(r, first + p);
      for (int64_t begin = 0; begin < units; begin += kUnits)
        add_units(r, first, pairs, weights, begin,
                  static_cast<int>(std::min<int64_t>(kUnits, units - begin)));
    }
  }

 private:
  LATENT_CPU_BODY void add_units(int64_t r, int64_t first, int pairs, const T* weights,
                                 int64_t begin, int count) const {
    T sums[F::kSums][kUnits] = {};
    for (int p = 0; p < pairs; ++p) {
#pragma omp simd
      for (int u = 0; u < count; ++u) {
        const auto terms = f.terms(r, first + p, begin + u, weights[p]);
        for (int k = 0; k < F::kSums; ++k) sums[k][u] += terms.v[k];
      }
    }
    for (int k = 0; k < F::kSums; ++k)
      for (int u = 0; u < count; ++u) put_sum(f.output(r, k), begin + u, sums[k][u], first == 0);
  }
};

/// A block a row: a thread has a pair's weight, then a warp the terms of its 32 pairs, a lane a unit.
template <class T, class F>
struct GpuSumPairs {
  static constexpr int max_threads = kPairs;
  using Terms = PairTerms<T, F::kSums>;
  int64_t others, units;
  F f;

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(T, weights, kPairs);
    SHARED(Terms, of_warps, kPairs);
    const int64_t r = t.block();
    for (int64_t first = 0; first < others; first += kPairs) {
      const int64_t mine = first + t.thread();
      weights[t.thread()] = mine < others ? f.weight(r, mine) : T(0);
      t.sync();
      for (int64_t begin = 0; begin < units; begin += fold::kLanes) {
        const int64_t unit = begin + t.lane();
        of_warps[t.thread()] = of_warp(t, r, first, unit, weights);
        t.sync();
        if (t.warp() == 0 && unit < units) {
          Terms sums = of_warps[t.lane()];
          for (int w = 1; w < kPairWarps; ++w) sums.add(of_warps[w * fold::kLanes + t.lane()]);
          for (int k = 0; k < F::kSums; ++k) put_sum(f.output(r, k), unit, sums.v[k], first == 0);
        }
        t.sync();
      }
    }
  }

 private:
  LATENT_KERNEL Terms of_warp(Thread& t, int64_t r, int64_t first, int64_t unit,
                              const T* weights) const {
    Terms sums = {};
    if (unit >= units) return sums;
    const int begin = t.warp() * fold::kLanes;
    const int64_t left = others - first;
    const int end = left < begin + fold::kLanes ? static_cast<int>(left) : begin + fold::kLanes;
    for (int p = begin; p < end; ++p) sums.add(f.terms(r, first + p, unit, weights[p]));
    return sums;
  }
};

}  // namespace skeleton

/// f.output(r, k)[u] = sum over j of f.terms(r, j, u, f.weight(r, j)).v[k], for rows r, others j, units u and the
/// F::kSums sums k; f.output may be nullptr, for a sum that row r has not. The weight is made once a pair. `others` > 0.
/// One launch; its order of sums is fixed on each device, but is not the same on CPU and GPU.
template <class T, class F>
void sum_pairs(Stream& stream, int64_t rows, int64_t others, int64_t units, const F& f) {
  if (rows == 0) return;
  if (!stream.gpu) {
    cpu::run_tasks(rows, rows * others * units, skeleton::CpuSumPairs<T, F>{others, units, f});
  } else if constexpr (cpu_only_v<T, F>) {
    no_gpu_body(stream);
  } else {
    launch(stream, {.blocks = rows, .threads = skeleton::kPairs},
           skeleton::GpuSumPairs<T, F>{others, units, f});
  }
}

}  // namespace LATENT_BACKEND
}  // namespace latent
