// Batch normalisation (Ioffe and Szegedy 2015) of x [rows, ..., channels], in PyTorch's form.
#pragma once

#include <vector>

#include "core/graph/op.h"

namespace latent {

/// With mean and biased variance of a channel over the n rows and places of the batch, rstd =
/// 1 / sqrt(var + eps): y = weight (x - mean) rstd + bias. n >= 2.
///
/// (x, weight [c], bias [c], running_mean [c], running_var [c])
///   -> y as x, mean [c], var [c],
///      (1 - momentum) running_mean + momentum mean,
///      (1 - momentum) running_var + momentum n / (n - 1) var
struct BatchNorm {
  static constexpr const char* name = "batch_norm";
  double eps = 1e-5, momentum = 0.1;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  std::vector<Var> vjp(const Pullback& p) const;
  std::vector<Var> reference(std::span<const Var> in) const;
  int overwrites(int output) const { return output < 3 ? -1 : output; }
  Cost cost(const Signature& s) const;
  bool operator==(const BatchNorm&) const = default;
};

/// The gradient of y: (g [..., x...], x, weight, mean, var) -> dx as g, dweight and dbias [..., c].
///   dx = weight rstd (g - mean(g) - x^ mean(g x^)),  x^ = (x - mean) rstd
/// As a function mean and var are inputs like the others: those of x in use.
struct BatchNormGradient {
  static constexpr const char* name = "batch_norm.gradient";
  double eps = 1e-5;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  std::vector<Var> reference(std::span<const Var> in) const;
  Cost cost(const Signature& s) const;
  bool operator==(const BatchNormGradient&) const = default;
};

/// With given statistics: (x, weight, bias, mean, var) -> weight (x - mean) / sqrt(var + eps) +
/// bias.
struct FixedNorm {
  static constexpr const char* name = "batch_norm.fixed";
  double eps = 1e-5;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  std::vector<Var> reference(std::span<const Var> in) const;
  int overwrites(int) const { return 0; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 5); }
  bool operator==(const FixedNorm&) const = default;
};

}  // namespace latent
