// The objective: likelihood term + sum over penalties of weight x term, and the forward pass it is made of.
#pragma once

#include <string>
#include <vector>

#include "models/model.h"

namespace latent {

/// A term of the objective: logged unweighted under its name, added with its weight.
struct Term {
  std::string name;
  Var value;  ///< [rows], or one value a batch
  double weight = 1;
};

struct Forward {
  Var code, output;
  Var mean;  ///< the reconstruction, in the scaled data's space
  std::vector<Term> terms;
};

/// x through encoder, bottleneck and decoder; the terms compare with `target`, both [rows, row...].
Forward forward(const Model& model, Build& build, Var x, Var target);

/// sum of weight x mean over rows: the scalar that is minimised.
Var objective(const std::vector<Term>& terms);

}  // namespace latent
