// Samples of a Gaussian code by reparameterisation, with its KL divergence: one pass, and one for the gradient.
#pragma once

#include <vector>

#include "core/graph/op.h"

namespace latent {

/// (h [rows, 2 units], seed u64[1], step u64[1]) -> z [rows * samples, units], kl [rows], log_ratio [rows * samples].
///
/// h holds means mu, then log-variances. Row r of z is of example r / samples:
///   z = mu + exp(logvar / 2) eps, eps ~ N(0, 1)                           Kingma and Welling 2014, eq. 10
///   kl = 1/2 sum (mu^2 + exp(logvar) - 1 - logvar), in nats               ibid., appendix B
///   log_ratio = log p(z) - log q(z | x) = 1/2 sum (eps^2 + logvar - z^2), in nats
/// eps is element (r, unit) of the stream at this step; it is drawn again for the gradient.
struct GaussianSample {
  static constexpr const char* name = "gaussian_sample";
  uint64_t stream = 0;  ///< stream_of("bottleneck.sample")
  int64_t samples = 1;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  std::vector<Var> vjp(const Pullback& p) const;
  std::vector<Var> reference(std::span<const Var> in) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 40); }
  bool operator==(const GaussianSample&) const = default;
};

/// The cotangent of h: (h, seed, step, then those of z [..., rows * samples, units], kl [..., rows] and log_ratio
/// [..., rows * samples] that there are) -> [..., rows, 2 units]. A last input like it, where there is one, is added.
struct GaussianSampleGrad {
  static constexpr const char* name = "gaussian_sample.gradient";
  uint64_t stream = 0;
  int64_t samples = 1;
  bool z = true, kl = true, log_ratio = true;  ///< which cotangents are given
  bool adds = false;                           ///< has a last input

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  std::vector<Var> reference(std::span<const Var> in) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 50); }
  bool operator==(const GaussianSampleGrad&) const = default;
};

}  // namespace latent
