// Gradients as graph: the pullback appends nodes, so a gradient of a gradient is ordinary use.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "core/graph/graph.h"

namespace latent {

/// Cotangents of `wrt`, given the cotangent `seed` of y, appended to y's graph.
/// `seed` has y's shape behind `batch_axes` leading axes over which pullbacks are independent;
/// results have them too. A `wrt` that y does not depend on gets zeros. `wrt` may be any Var of the
/// graph, not only leaves. Throws GraphError where an op on the way has neither vjp nor reference.
std::vector<Var> pullback(Var y, std::span<const Var> wrt, Var seed, int batch_axes = 0);

/// d y / d wrt of a scalar y (seed 1).
std::vector<Var> gradient(Var y, std::span<const Var> wrt);

/// The few ops that autodiff itself needs; kernels registers them, so that core names no kernel.
struct AutodiffOps {
  Var (*add)(Var a, Var b) = nullptr;
  /// Sums a cotangent back to `shape` behind its leading `batch_axes`: undoes broadcasting, which
  /// aligned `shape` from the right.
  Var (*unbroadcast)(Var cotangent, const Shape& shape, int batch_axes) = nullptr;
  Var (*fill)(Graph& graph, const Type& type, double value) = nullptr;
};
void register_autodiff_ops(const AutodiffOps& ops);

}  // namespace latent
