// Initial values of weights.
#pragma once

#include <cstdint>
#include <string>

#include "core/config/choice.h"
#include "core/graph/graph.h"

namespace latent {

/// Sizes of a layer: of one output's inputs, and of one input's outputs (both times the kernel's area).
struct Fan {
  int64_t in = 1, out = 1;
};

/// The initialiser of a weight, drawn from `seed` and the weight's name alone:
///   glorot_uniform U(+-sqrt(6 / (in + out))), glorot_normal N(0, 2 / (in + out))      Glorot and Bengio 2010, eq. 16
///   he_uniform U(+-sqrt(6 / in)), he_normal N(0, 2 / in)                                He et al. 2015, eq. 10
///   lecun_uniform U(+-sqrt(3 / in)), lecun_normal N(0, 1 / in)                          LeCun et al. 1998
///   pytorch U(+-1 / sqrt(in)), of weights and biases;  {normal: std}, {uniform: a}, zeros
Init weight_init(const Choice& choice, Fan fan, uint64_t seed, const std::string& name);

/// `value` everywhere, but for `pytorch`: U(+-1 / sqrt(in)).
Init bias_init(const Choice& weight_choice, double value, Fan fan, uint64_t seed,
               const std::string& name);

}  // namespace latent
