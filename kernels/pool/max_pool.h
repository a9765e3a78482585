// Max pooling, and the two linear maps that its greatest elements define. These are each other's adjoint, so the set
// has gradients of every order where the selection does not change; which elements were the greatest is found again.
#pragma once

#include "core/graph/op.h"
#include "kernels/conv/window.h"

namespace latent {

/// x [..., large, channels] -> [..., small, channels], the greatest of each piece; NaN if there is one. The window's
/// kernel is its stride: pieces do not overlap.
struct MaxPool {
  static constexpr const char* name = "max_pool";
  Window window;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& device) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 1); }
  bool operator==(const MaxPool&) const = default;
};

/// (g [..., X's axes with small, channels], x [X's axes with large, channels]) -> g where x is the first greatest of
/// its piece, else 0: [..., X's axes with large, channels].
struct MaxPoolGrad {
  static constexpr const char* name = "max_pool.gradient";
  Window window;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& device) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 1); }
  bool operator==(const MaxPoolGrad&) const = default;
};

/// (v [..., X's axes with large, channels], x) -> v where x is the first greatest of its piece.
struct MaxPoolSelect {
  static constexpr const char* name = "max_pool.select";
  Window window;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& device) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 1); }
  bool operator==(const MaxPoolSelect&) const = default;
};

}  // namespace latent
