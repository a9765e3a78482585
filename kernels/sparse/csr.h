// Sparse rows: a data set that lies on the device whole, as compressed rows. A batch is row ids; how many entries
// its rows have is in device memory and never a shape.
//
// starts u64[n + 1], columns i32[entries], values f32[entries]: row r has the entries [starts[r], starts[r + 1]), in any
// order; those of one column add up. ids i32[rows] are the rows of a batch.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

#include "core/base/hd.h"
#include "core/graph/op.h"
#include "kernels/data/corrupt.h"
#include "kernels/ops.h"

namespace latent {

/// Masking and dropout of entries, which leave zeros zero. They draw what CorruptedGather draws for the same rows as
/// arrays.
struct CsrNoise {
  std::vector<Corruption> corruptions = {};
  bool fixed = false;

  explicit operator bool() const { return !corruptions.empty(); }
  bool operator==(const CsrNoise&) const = default;
};

/// Rows of a batch, and what is done to their entries as they are read; under noise seed and step, u64[1], are there.
struct CsrBatch : CsrRows {
  CsrNoise noise;
  Var seed, step;

  CsrBatch(const CsrRows& rows, CsrNoise of = {}, Var of_seed = {}, Var of_step = {})  // NOLINT
      : CsrRows(rows), noise(std::move(of)), seed(of_seed), step(of_step) {}
  /// ids, starts, columns, values, `other` where there is one, and under noise seed and step.
  std::vector<Var> inputs(Var other = {}) const;
};

/// The entries that v writes out, where csr_dense made it.
std::optional<CsrBatch> csr_rows(Var v);
Var csr_dense(const CsrBatch& x, int64_t width);
Var csr_linear(const CsrBatch& x, Var w, bool trans_w = true);
/// The gradient of csr_linear's weight of `in` columns, from g [..., rows, out].
Var csr_weight_gradient(const CsrBatch& x, Var g, int64_t in, bool trans_w = true);

/// Throws the op's error unless in[first...] are ids, starts, columns and values, the latter of `real`.
void require_csr(std::string_view op, Types in, size_t first, DType real);
/// Throws the op's error unless `in` are the inputs of a batch, with `others` behind its values.
void require_csr_batch(std::string_view op, Types in, size_t others, DType real,
                       const CsrNoise& noise);
/// The batch of an op's inputs.
CsrBatch csr_batch(std::span<const Var> in, const CsrNoise& noise);
/// Of samples: masking whose rate follows a schedule, then dropout.
CsrNoise sample_noise(bool fixed);

/// Mean number of entries of a row, for costs.
inline double entries_a_row(const Signature& s, size_t first) {
  return static_cast<double>(s.in[first + 2].elements()) /
         static_cast<double>(std::max<int64_t>(1, s.in[first + 1].elements() - 1));
}

/// The entries of a batch as a kernel reads them.
template <class T>
struct CsrEntries {
  const int32_t* ids;
  const uint64_t* starts;
  const int32_t* columns;
  const T* values;

  CsrEntries(const Args& a, int first)
      : ids(a.input<int32_t>(first)),
        starts(a.input<uint64_t>(first + 1)),
        columns(a.input<int32_t>(first + 2)),
        values(a.input<T>(first + 3)) {}
  LATENT_HD int64_t begin(int64_t r) const { return static_cast<int64_t>(starts[ids[r]]); }
  LATENT_HD int64_t end(int64_t r) const { return static_cast<int64_t>(starts[ids[r] + 1]); }

  /// As they are at this step, and the value of entry k of row r.
  LATENT_HD CsrEntries now() const { return *this; }
  LATENT_HD T value(int64_t, int64_t k) const { return values[k]; }
};

}  // namespace latent
