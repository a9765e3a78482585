// Penalties: terms of the objective beside the likelihood. Each is logged by its label, unweighted.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/config/choice.h"
#include "models/model.h"

namespace latent {

/// What a penalty may look at.
struct PenaltyInput {
  Graph& graph;
  Build& build;  ///< its seed and step key draws, its updates take running means
  const Model& model;
  const Code& code;
  Var input;                      ///< what the encoder was given [rows, row...]
  std::vector<Var> weights = {};  ///< all trained weights, without biases
  Var at = {};  ///< the value [rows, units...] that `at` names; empty for penalties without `at`
  std::string address = {};  ///< the name of `at`, as given; "hidden" for each of them
};

/// The term: [rows] (averaged over rows by the objective), or one value a batch ([] or [1]).
using PenaltyTerm = std::function<Var(const Choice&, const PenaltyInput&)>;

/// Registers the YAML name with its options and its term. Every penalty has the options weight (its MAIN), schedule and label;
/// those that act on a layer also share the group "at".
struct RegisterPenalty {
  RegisterPenalty(ChoiceSpec spec, PenaltyTerm term);
};

/// The term of `choice`, added up over layers under `at: hidden`; throws UserError when `at` names no layer of the build.
Var penalty_term(const Choice& choice, PenaltyInput in);

/// What a penalty's column is called: its label, else its name.
std::string penalty_label(const Choice& choice);

}  // namespace latent
