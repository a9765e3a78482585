// Convolutions, closed under differentiation: a convolution, its transpose (the gradient in the data) and the gradient
// in the weight. NHWC; leading axes are rows where one weight stands against them, else they broadcast.
#pragma once

#include "core/graph/op.h"
#include "kernels/conv/problem.h"

namespace latent {

/// Cross-correlation, as every framework's conv: (x [..., large, channels], w [filters, kernel, channels]) ->
/// [..., small, filters]. Transposed: (y [..., small, filters], w) -> [..., large, channels]. f32 or f64.
struct Conv {
  static constexpr const char* name = "conv";
  Window window;
  bool transposed = false;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& device) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const;
  bool operator==(const Conv&) const = default;

  ConvPass pass() const { return transposed ? ConvPass::transposed : ConvPass::forward; }
};

/// (large [..., rows, large, channels], small [..., rows, small, filters]) -> [..., filters, kernel, channels]: the
/// gradient of both kinds of Conv in the weight, summed over rows.
struct ConvWeight {
  static constexpr const char* name = "conv.weight";
  Window window;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& device) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const;
  bool operator==(const ConvWeight&) const = default;
};

/// A layer's gradient in its parameters: ConvWeight, and beside it the sums of small's channels [filters].
struct ConvBackwardWeight {
  static constexpr const char* name = "conv.weight_and_bias";
  Window window;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& device) const;
  std::vector<Var> reference(std::span<const Var> in) const;
  Cost cost(const Signature& s) const;
  bool operator==(const ConvBackwardWeight&) const = default;
};

/// FLOPs of the problem, bytes of every operand.
Cost conv_cost(const Signature& s, const ConvProblem& problem, int launches);

}  // namespace latent
