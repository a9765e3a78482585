// The penalties' ops as functions, h [rows, units...]. Models and tests write with them as with those of kernels/ops.h.
#pragma once

#include "core/graph/graph.h"

namespace latent {

// -> [rows]
Var l1(Var h);            // sum of |h| over units
Var lp(Var h, double p);  // sum of |h|^p over units, p > 0
Var sum_squares(Var h);   // sum of h^2 over units
// -> []: sum over units of KL(Bernoulli(rho) || Bernoulli(rho_hat)), rho_hat = mean over rows, plus offset [units...].
Var kl_sparsity(Var h, double rho, Var offset = {});
// -> [n, rows, n]: every unit vector of n units, for each row.
Var unit_seeds(Graph& graph, DType real, int64_t n, int64_t rows);

}  // namespace latent
