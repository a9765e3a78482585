// The product of matrices, closed under differentiation, and the gradient of a layer's parameters as one op.
#pragma once

#include "core/graph/op.h"

namespace latent {

/// op(a) op(b): a is [..., M, K] or, transposed, [..., K, M]; b is [..., K, N] or [..., N, K]. Leading axes
/// broadcast from the right. A third input [..., M, N], where there is one, is added. f32 or f64.
struct MatMul {
  static constexpr const char* name = "matmul";
  bool trans_a = false, trans_b = false;
  bool adds = false;  ///< has a third input

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& device) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const;
  bool operator==(const MatMul&) const = default;
};

/// A layer's gradient in its parameters: (g [..., out], x [..., in]) -> dw [out, in] = g^T x, or with trans_w =
/// false dw [in, out] = x^T g, and db [out], the sums of g's columns. A third input like dw, where there is one, is added
/// to it. One launch.
struct LinearBackwardWeight {
  static constexpr const char* name = "linear.weight_gradient";
  bool trans_w = true;
  bool adds = false;  ///< has a third input

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& device) const;
  std::vector<Var> reference(std::span<const Var> in) const;
  Cost cost(const Signature& s) const;
  bool operator==(const LinearBackwardWeight&) const = default;
};

}  // namespace latent
