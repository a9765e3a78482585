// The objective: likelihood term + sum over penalties of weight x term, and the forward pass it is made of.
#pragma once

#include <string>
#include <vector>

#include "core/train/schedule.h"
#include "models/model.h"

namespace latent {

/// A term of the objective: logged unweighted under its name, added with its weight.
struct Term {
  std::string name;
  Var value;  ///< [rows], or one value a batch
  double weight = 1;
  Schedule schedule = {};  ///< factor on the weight in training
};

/// How long training is: what the durations of schedules are resolved with.
struct TrainingLength {
  double steps_per_epoch = 0;  ///< rows / batch, not always whole; its floor under `tail: drop`
  int64_t total_steps = 0;
};

struct Forward {
  Code code;
  Var output;  ///< what the likelihood takes, a row for each sample of the code
  Var mean;    ///< the reconstruction, in the scaled data's space
  std::vector<Term> terms;
};

/// x [rows, row...] through encoder, bottleneck and decoder; the likelihood compares with `target` [rows, target...],
/// each element by its `weight` where there is one. Without a length every schedule counts as 1.
Forward forward(const Model& model, Build& build, Var x, Var target,
                const TrainingLength* length = nullptr, Var weight = {});

/// sum of weight x schedule(step) x mean over rows: the scalar that is minimised. `step` u64[1] counts the steps done;
/// it may be empty where no term has a schedule.
Var objective(const std::vector<Term>& terms, Var step = {});

}  // namespace latent
