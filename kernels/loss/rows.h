// What the kernels and gradients of all losses of rows share: several predictions of one target, weights of elements.
#pragma once

#include "core/math/math.h"
#include "kernels/loss/family.h"
#include "kernels/ops.h"
#include "kernels/structural/structural.h"

namespace latent {

/// The target's row of a row of the prediction: r / samples for r < 2^31, by a product, which loops
/// are vectorised with.
struct TargetRow {
  uint64_t factor = 1;
  int shift = 0;

  explicit TargetRow(int64_t samples) {
    while ((int64_t{1} << shift) < samples) ++shift;
    shift += 31;
    factor = ((uint64_t{1} << shift) + static_cast<uint64_t>(samples) - 1) /
             static_cast<uint64_t>(samples);
  }
  LATENT_HD int64_t operator()(int64_t r) const {
    return static_cast<int64_t>(static_cast<uint64_t>(r) * factor >> shift);
  }
};

/// w v; exactly 0 for a weight of 0, whatever v is: an unobserved element has no influence.
template <class T>
LATENT_HD T weighted(T w, T v) {
  return math::select(w == T(0), T(0), w * v);
}

template <class T>
struct StoreRow {
  T* out;
  T weight;
  LATENT_HD void operator()(int64_t r, T sum) const { out[r] = weight * sum; }
};

/// [rows, X...] -> [rows * samples, X...]: each row `samples` times.
inline Var repeat_rows(Var x, int64_t samples) {
  if (samples == 1) return x;
  Shape shape = x.shape();
  const int64_t rows = shape.front();
  shape.insert(shape.begin() + 1, 1);
  const Var apart = reshape(x, shape);
  shape[1] = samples;
  const Var all = broadcast_to(apart, shape);
  shape.erase(shape.begin());
  shape[0] = rows * samples;
  return reshape(all, shape);
}

/// Its adjoint behind leading axes: [..., rows * samples, X...] -> [..., rows, X...] for `of`
/// [rows, X...].
inline Var sum_samples(Var v, Var of) {
  const Shape& row = of.shape();
  const Shape full = v.shape();
  if (std::equal(row.rbegin(), row.rend(), full.rbegin())) return v;
  const auto at = full.end() - static_cast<int64_t>(row.size());
  Shape apart(full.begin(), at);
  apart.insert(apart.end(), {row[0], row[0] ? *at / row[0] : 1});
  apart.insert(apart.end(), row.begin() + 1, row.end());
  return sum_axes(reshape(v, apart), std::vector{static_cast<int>(row.size()) - 1}, false);
}

/// All axes of v but its rows.
inline std::vector<int> inner_axes(Var v) {
  std::vector<int> axes(v.type().rank() - 1);
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int>(i);
  return axes;
}

/// h [..., rows] with axes of size 1 behind, so that it broadcasts over the elements of v [rows,
/// X...].
inline Var over_elements(Var h, Var v) {
  Shape shape = h.shape();
  shape.resize(shape.size() + inner_axes(v).size(), 1);
  return reshape(h, shape);
}

/// Type of the gradient of a loss: g [..., rows] and the prediction [rows, X...] -> [..., rows, X...].
inline Type gradient_type(std::string_view op, Types in, const Type& o) {
  if (in[0].rank() == 0 || in[0].shape.back() != o.shape.front())
    throw op_error(op, "g does not fit", in);
  Type out = in[0];
  out.shape.insert(out.shape.end(), o.shape.begin() + 1, o.shape.end());
  return out;
}

}  // namespace latent
