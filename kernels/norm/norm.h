// What the normalising ops share: their view of tensors as matrices, and shapes of cotangents.
#pragma once

#include <string_view>
#include <vector>

#include "core/graph/op.h"

namespace latent {

/// x [..., d] as a matrix of rows and columns; g has `batch` times as many rows, x's shape behind
/// extra leading axes.
struct NormShape {
  int64_t rows = 0, cols = 0, batch = 1;
};
NormShape norm_shape(const Type& x);
NormShape norm_shape(const Type& g, const Type& x);

/// Throws the op's error unless in[0] is [..., d] with something in every row, and in[1] to in[n]
/// are [d].
void require_norm_types(std::string_view op, Types in, size_t vectors);
/// The extra leading axes of g before x's; throws the op's error where g does not end as x.
Shape leading_axes(std::string_view op, Types in, const Type& g, const Type& x);
/// `lead` followed by [d].
Shape with_lead(const Shape& lead, int64_t d);

/// Sums over all axes of x but the last, behind the leading ones: the gradient of what is added to
/// every row. The summed axes stay with size 1 where `keep` says so.
Var sum_norm_rows(Var g, int x_rank, bool keep);

}  // namespace latent
