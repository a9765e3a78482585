// A walk of a recurrent layer over its steps, forward or backward: where its arrays lie, and what one unit of one row
// does at one step. How units, rows and products are shared out is for cpu.h and gpu.h.
#pragma once

#include "kernels/recurrent/cells.h"

namespace latent {

/// Rows, steps and units of a walk.
struct WalkSize {
  int64_t rows = 0, steps = 0, units = 0;
};

template <class Cell, class T>
struct ForwardWalk {
  const T* x;      ///< [rows, steps or 1, gates * units]: what the input adds to the gates
  const T *w, *b;  ///< [gates * units, units], [gates * units] or nullptr
  T *h, *kept;     ///< [rows, steps, units], [rows, steps, kept * units]
  int64_t rows, steps, units;
  bool repeated;  ///< x has one step, the same for all

  /// What the input adds to the gates of one unit.
  LATENT_HD void load(int64_t row, int64_t step, int64_t unit, T* out) const {
    const int64_t at = repeated ? row : row * steps + step;
    const T* from = x + at * Cell::kGates * units + unit;
    for (int k = 0; k < Cell::kGates; ++k) out[k] = from[k * units];
  }
  /// One unit's step from x, a = h w' + b, its h before and what it carries: its h.
  LATENT_HD T step(int64_t row, int64_t step, int64_t unit, const T* x, const T* a, T before,
                   T& carry) const {
    T left[Cell::kKept + 1];
    const T after = Cell::forward(x, a, before, carry, left);
    const int64_t at = row * steps + step;
    h[at * units + unit] = after;
    for (int k = 0; k < Cell::kKept; ++k) kept[(at * Cell::kKept + k) * units + unit] = left[k];
    return after;
  }
};

template <class Cell, class T>
struct BackwardWalk {
  const T* g;             ///< [rows, steps, units]: the gradient of h
  const T *h, *kept, *w;  ///< as forward, of `batch` rows, over which g's rows go again and again
  T *dx, *da;             ///< [rows, steps, gates * units]: gradients of x, of h w' + b; may be one
  int64_t rows, batch, steps, units;

  /// What one unit's step begins with. kFirst: it is step 0, before which everything is zero.
  struct Input {
    T g;
    CellState<T, Cell::kKept> state;
  };
  template <bool kFirst>
  LATENT_HD Input load(int64_t row, int64_t step, int64_t unit) const {
    const int64_t at = row % batch * steps + step;
    Input in;
    in.g = g[(row * steps + step) * units + unit];
    in.state.after = h[at * units + unit];
    in.state.before = in.state.carried = T(0);
    for (int k = 0; k < Cell::kKept; ++k)
      in.state.kept[k] = kept[(at * Cell::kKept + k) * units + unit];
    if constexpr (!kFirst) {
      in.state.before = h[(at - 1) * units + unit];
      if constexpr (Cell::kCarries) in.state.carried = kept[(at * Cell::kKept - 1) * units + unit];
    }
    return in;
  }
  LATENT_HD Input load(int64_t row, int64_t step, int64_t unit) const {
    return step == 0 ? load<true>(row, step, unit) : load<false>(row, step, unit);
  }
  /// One unit's step back; `product` is what the step behind sends through w. Fills of_a.
  LATENT_HD void step(int64_t row, int64_t step, int64_t unit, const Input& in, T product, T& carry,
                      T* of_a) const {
    T of_x[Cell::kGates];
    Cell::backward(in.state, in.g + product, carry, of_x, of_a);
    const int64_t at = (row * steps + step) * Cell::kGates * units + unit;
    for (int k = 0; k < Cell::kGates; ++k) {
      dx[at + k * units] = of_x[k];
      if constexpr (Cell::kTwoGradients) da[at + k * units] = of_a[k];
    }
  }
};

}  // namespace latent
