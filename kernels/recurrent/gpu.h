// Walks on the GPU: one launch, a block walks its rows through all steps. For .cu files only.
//
// Up to 64 units ("held"): a block is one row, four lanes share a unit, and the whole of w stays in registers; h (going
// back, the gradient of the gates) passes through shared memory, and what a step reads is loaded a step ahead, so that
// a step costs two shuffles and one barrier. Beyond ("streamed"): a warp makes a unit at a time for four rows at once,
// w comes from the caches at every step, and h is read back from where the step before wrote it.
#pragma once

#include "kernels/recurrent/walk.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/skeleton/launch.h"
#include "kernels/skeleton/unroll.h"

namespace latent {
inline namespace LATENT_BACKEND {

namespace recurrent {

inline constexpr int kHeldUnits = 64, kLanes = 4;  // of a unit
inline constexpr int kRows = 4;                    // of a streamed block

template <int n>
struct Sums {
  float v[n];
};

/// Adds up over groups of `lanes` neighbours: every one gets the sum.
template <int n>
LATENT_KERNEL void add_lanes(Thread& t, Sums<n>& sums, int lanes) {
  for (int mask = lanes / 2; mask > 0; mask /= 2) {
    const Sums<n> other = t.shuffle_xor(sums, mask);
    LATENT_UNROLL
    for (int i = 0; i < n; ++i) sums.v[i] += other.v[i];
  }
}

template <class Cell>
struct HeldForward {
  static constexpr int max_threads = kHeldUnits * kLanes;
  static constexpr int kGates = Cell::kGates, kHeld = kHeldUnits / kLanes;
  ForwardWalk<Cell, float> walk;

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(float, state, 2 * kHeldUnits);  // h before and after the step, in turns
    const int lane = t.thread() % kLanes, unit = t.thread() / kLanes;
    const int units = static_cast<int>(walk.units);
    const int64_t row = t.block();
    const bool there = unit < units;
    float w[kGates][kHeld], bias[kGates];
    LATENT_UNROLL
    for (int g = 0; g < kGates; ++g) {
      bias[g] = there && walk.b ? walk.b[g * units + unit] : 0;
      LATENT_UNROLL
      for (int m = 0; m < kHeld; ++m) {
        const int k = m * kLanes + lane;
        w[g][m] = there && k < units ? walk.w[(g * units + unit) * units + k] : 0;
      }
    }
    for (int i = t.thread(); i < 2 * kHeldUnits; i += t.threads()) state[i] = 0;
    float next[kGates] = {}, before = 0, carry = 0;
    if (there) walk.load(row, 0, unit, next);
    t.sync();
    for (int64_t step = 0; step < walk.steps; ++step) {
      float x[kGates];
      LATENT_UNROLL
      for (int g = 0; g < kGates; ++g) x[g] = next[g];
      if (there && step + 1 < walk.steps) walk.load(row, step + 1, unit, next);
      const float* from = state + (step % 2) * kHeldUnits + lane;
      Sums<kGates> a = {};
      LATENT_UNROLL
      for (int m = 0; m < kHeld; ++m) {
        const float h = from[m * kLanes];
        LATENT_UNROLL
        for (int g = 0; g < kGates; ++g) a.v[g] = math::fma(w[g][m], h, a.v[g]);
      }
      add_lanes(t, a, kLanes);
      LATENT_UNROLL
      for (int g = 0; g < kGates; ++g) a.v[g] += bias[g];
      if (there && lane == 0) {
        before = walk.step(row, step, unit, x, a.v, before, carry);
        state[(1 - step % 2) * kHeldUnits + unit] = before;
      }
      t.sync();
    }
  }
};

template <class Cell>
struct HeldBackward {
  static constexpr int max_threads = kHeldUnits * kLanes;
  static constexpr int kGates = Cell::kGates, kWide = kGates * kHeldUnits, kHeld = kWide / kLanes;
  BackwardWalk<Cell, float> walk;

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(float, sent, 2 * kWide);  // da of the step behind and of this one, in turns
    const int lane = t.thread() % kLanes, unit = t.thread() / kLanes;
    const int units = static_cast<int>(walk.units), wide = kGates * units;
    const int64_t row = t.block();
    const bool there = unit < units;
    float w[kHeld];
    LATENT_UNROLL
    for (int m = 0; m < kHeld; ++m) {
      const int k = m * kLanes + lane;
      w[m] = there && k < wide ? walk.w[k * units + unit] : 0;
    }
    for (int i = t.thread(); i < 2 * kWide; i += t.threads()) sent[i] = 0;
    typename BackwardWalk<Cell, float>::Input next = {};
    float carry = 0;
    if (there) next = walk.load(row, walk.steps - 1, unit);
    t.sync();
    for (int64_t step = walk.steps - 1; step >= 0; --step) {
      const auto in = next;
      if (there && step > 0) next = walk.load(row, step - 1, unit);
      const float* from = sent + (step % 2) * kWide + lane;
      Sums<1> product = {};
      LATENT_UNROLL
      for (int m = 0; m < kHeld; ++m)
        product.v[0] = math::fma(w[m], from[m * kLanes], product.v[0]);
      add_lanes(t, product, kLanes);
      if (there && lane == 0) {
        float of_a[kGates];
        walk.step(row, step, unit, in, product.v[0], carry, of_a);
        LATENT_UNROLL
        for (int g = 0; g < kGates; ++g) sent[(1 - step % 2) * kWide + g * units + unit] = of_a[g];
      }
      t.sync();
    }
  }
};

/// Sums over k of w[n rows of `length`][k] times vectors of kRows rows: lanes of a warp share k.
template <int n>
LATENT_KERNEL void add_products(Thread& t, const float* const (&w)[n],
                                const float* const (&vectors)[kRows], int64_t length,
                                Sums<n> (&sums)[kRows]) {
  for (int64_t k = t.lane(); k < length; k += 32) {
    float weight[n];
    LATENT_UNROLL
    for (int i = 0; i < n; ++i) weight[i] = w[i][k];
    LATENT_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const float v = vectors[r][k];
      LATENT_UNROLL
      for (int i = 0; i < n; ++i) sums[r].v[i] = math::fma(weight[i], v, sums[r].v[i]);
    }
  }
  LATENT_UNROLL
  for (int r = 0; r < kRows; ++r) add_lanes(t, sums[r], 32);
}

/// Lane r's own row of the sums.
template <int n>
LATENT_KERNEL Sums<n> own_row(int lane, const Sums<n> (&sums)[kRows]) {
  Sums<n> own = sums[0];
  LATENT_UNROLL
  for (int r = 1; r < kRows; ++r) LATENT_UNROLL
  for (int i = 0; i < n; ++i) own.v[i] = lane == r ? sums[r].v[i] : own.v[i];
  return own;
}

template <class Cell>
struct StreamedForward {
  static constexpr int max_threads = 512;
  static constexpr int kGates = Cell::kGates;
  ForwardWalk<Cell, float> walk;

  LATENT_KERNEL void operator()(Thread& t) const {
    const int64_t units = walk.units, first = t.block() * kRows;
    const int64_t row = first + t.lane();
    for (int64_t step = 0; step < walk.steps; ++step) {
      for (int64_t unit = t.warp(); unit < units; unit += t.warps()) {
        Sums<kGates> sums[kRows] = {};
        if (step > 0) {
          const float *w[kGates], *h[kRows];
          LATENT_UNROLL
          for (int g = 0; g < kGates; ++g) w[g] = walk.w + (g * units + unit) * units;
          LATENT_UNROLL
          for (int r = 0; r < kRows; ++r)
            h[r] = walk.h + (row_of(first + r) * walk.steps + step - 1) * units;
          add_products(t, w, h, units, sums);
        }
        if (t.lane() >= kRows || row >= walk.rows) continue;
        Sums<kGates> a = own_row(t.lane(), sums);
        float x[kGates];
        walk.load(row, step, unit, x);
        LATENT_UNROLL
        for (int g = 0; g < kGates; ++g) a.v[g] += walk.b ? walk.b[g * units + unit] : 0;
        const int64_t at = row * walk.steps + step - 1;
        const float before = step > 0 ? walk.h[at * units + unit] : 0;
        float carry = 0;
        if (Cell::kCarries && step > 0)
          carry = walk.kept[((at + 1) * Cell::kKept - 1) * units + unit];
        walk.step(row, step, unit, x, a.v, before, carry);
      }
      t.sync();  // h of this step is there
    }
  }

 private:
  /// Rows beyond the last are computed for nothing.
  LATENT_KERNEL int64_t row_of(int64_t row) const { return row < walk.rows ? row : walk.rows - 1; }
};

/// Needs w as [units, gates * units].
template <class Cell>
struct StreamedBackward {
  static constexpr int max_threads = 512;
  static constexpr int kGates = Cell::kGates;
  BackwardWalk<Cell, float> walk;
  const float* transposed;
  float* carries;  ///< [rows, units]

  LATENT_KERNEL void operator()(Thread& t) const {
    const int64_t units = walk.units, wide = kGates * units, first = t.block() * kRows;
    const int64_t row = first + t.lane();
    for (int64_t step = walk.steps - 1; step >= 0; --step) {
      for (int64_t unit = t.warp(); unit < units; unit += t.warps()) {
        Sums<1> sums[kRows] = {};
        const bool last = step + 1 == walk.steps;
        if (!last) {
          const float *const w[1] = {transposed + unit * wide}, *da[kRows];
          LATENT_UNROLL
          for (int r = 0; r < kRows; ++r)
            da[r] = walk.da + (row_of(first + r) * walk.steps + step + 1) * wide;
          add_products(t, w, da, wide, sums);
        }
        if (t.lane() >= kRows || row >= walk.rows) continue;
        const Sums<1> product = own_row(t.lane(), sums);
        float of_a[kGates], carry = last ? 0 : carries[row * units + unit];
        walk.step(row, step, unit, walk.load(row, step, unit), product.v[0], carry, of_a);
        carries[row * units + unit] = carry;
      }
      t.sync();  // da of this step is there
    }
  }

 private:
  LATENT_KERNEL int64_t row_of(int64_t row) const { return row < walk.rows ? row : walk.rows - 1; }
};

/// out [cols, rows] = in [rows, cols].
struct Transpose {
  const float* in;
  float* out;
  int64_t rows, cols;
  LATENT_HD void operator()(int64_t c, int64_t r) const { out[c * rows + r] = in[r * cols + c]; }
};

inline Grid held_grid(const WalkSize& size) {
  const int64_t threads = (size.units * kLanes + 31) / 32 * 32;
  return {.blocks = size.rows, .threads = static_cast<int>(threads)};
}

inline Grid streamed_grid(const WalkSize& size) {
  const int64_t warps = std::min<int64_t>(16, size.units);
  return {.blocks = (size.rows + kRows - 1) / kRows, .threads = static_cast<int>(32 * warps)};
}

}  // namespace recurrent

template <class Cell>
void gpu_forward(Stream& stream, const WalkSize& size, const ForwardWalk<Cell, float>& walk) {
  if (size.units <= recurrent::kHeldUnits)
    return launch(stream, recurrent::held_grid(size), recurrent::HeldForward<Cell>{walk});
  launch(stream, recurrent::streamed_grid(size), recurrent::StreamedForward<Cell>{walk});
}

/// Bytes of workspace: w transposed and what rows carry, where they are streamed.
template <class Cell>
size_t gpu_backward_workspace(const WalkSize& size) {
  if (size.units <= recurrent::kHeldUnits) return 0;
  return sizeof(float) * (Cell::kGates * size.units * size.units + size.rows * size.units);
}

template <class Cell>
void gpu_backward(Stream& stream, const WalkSize& size, const BackwardWalk<Cell, float>& walk,
                  void* workspace) {
  if (size.units <= recurrent::kHeldUnits)
    return launch(stream, recurrent::held_grid(size), recurrent::HeldBackward<Cell>{walk});
  const int64_t wide = Cell::kGates * size.units;
  float* const transposed = static_cast<float*>(workspace);
  for_each_row(stream, size.units, wide,
               recurrent::Transpose{walk.w, transposed, wide, size.units});
  launch(stream, recurrent::streamed_grid(size),
         recurrent::StreamedBackward<Cell>{walk, transposed, transposed + wide * size.units});
}

}  // namespace LATENT_BACKEND
}  // namespace latent
