// The penalties' ops as functions, h [rows, units...]. Models and tests write with them as with those of kernels/ops.h.
#pragma once

#include <vector>

#include "core/graph/graph.h"

namespace latent {

/// k of a squared distance d, the sum over its bandwidths C: imq C / (C + d), rbf exp(-d / C).
struct MmdKernel {
  enum class Shape { imq, rbf };
  static constexpr int kMost = 16;  ///< bandwidths

  Shape shape = Shape::imq;
  std::vector<double> bandwidths;
  bool operator==(const MmdKernel&) const = default;
};

// -> [rows]
Var l1(Var h);            // sum of |h| over units
Var lp(Var h, double p);  // sum of |h|^p over units, p > 0
Var sum_squares(Var h);   // sum of h^2 over units
// -> []: sum over units of KL(Bernoulli(rho) || Bernoulli(rho_hat)), rho_hat = mean over rows, plus offset [units...].
Var kl_sparsity(Var h, double rho, Var offset = {});
// x, y [n, units] -> []: the unbiased estimate of MMD^2 (Gretton et al. 2012, eq. 3), n > 1.
Var mmd(Var x, Var y, const MmdKernel& kernel);
// z [n, units], drawn from N(mu, exp(logvar)), whose means and log-variances are h [n, 2 units] -> [n], nats:
// log q(z) - sum over units of log q(z_u), estimated on this batch of `rows` examples in all (Chen et al. 2018).
Var total_correlation(Var z, Var h, int64_t rows, bool stratified);
// -> [n, rows, n]: every unit vector of n units, for each row.
Var unit_seeds(Graph& graph, DType real, int64_t n, int64_t rows);

}  // namespace latent
