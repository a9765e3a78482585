// KL sparsity (Ng, CS294A lecture notes, 2011): sum over units of KL(Bernoulli(rho) || Bernoulli(rho_hat_j)).
//
// The notes take rho_hat_j, the mean activation of unit j, over the whole data set. `average: batch` takes it over the
// batch: a noisy mean, whose divergence is larger by up to about 1 / (2 rows) a unit. `average: running` comes close to
// the notes with a running mean over the batches seen, this one included: rho_hat += share (mean of the batch - rho_hat),
// share = 1 / batches at first, then batch / rows of the data set, so that it forgets within an epoch (or 0.01, within a
// hundred batches, where an epoch is longer).
//
// The gradient under `running` is KL'(rho_hat_j) times that of the batch's mean. That is the estimate of the notes'
// gradient from one batch: the running mean stands for the whole set's, and what moves that in expectation is what moves
// the batch's. The derivative of the running mean itself would carry the factor share, and the penalty be as much weaker.
//
// On validation and test rows rho_hat is always the batch's.
#include <algorithm>

#include "kernels/functions.h"
#include "kernels/penalty/penalty.h"
#include "kernels/penalty/running_mean.h"
#include "kernels/structural/structural.h"
#include "models/penalty.h"

namespace latent {
namespace {

using namespace schema;

/// Where the elements of v lie, as far as the function that made them says it.
struct Range {
  std::string made_by = "no activation";
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

Range range_of(Var v) {
  const Node& node = v.graph->node(v);
  if (node.leaf()) return {};
  if (node.op.as<Reshape>()) return range_of(node.inputs[0]);
  if (const PointwiseFamily* family = family_of_forward(node.op))
    return {"activation " + family->name, family->low, family->high};
  return {};
}

void require_probabilities(const Choice& choice, Var h) {
  const Range range = range_of(h);
  if (range.low >= 0 && range.high <= 1) return;
  const Value& at = choice.option("at");
  throw error_at(
      at.mark(), "model.penalties.kl_sparsity.at",
      cat(at.as_string(), " has ", range.made_by, ", whose values lie in [", range.low, ", ",
          range.high,
          "]: a mean activation is compared with rho as a probability, so they must lie in (0, 1). "
          "Give that layer `activation: sigmoid`, or use l1, which takes any activation"));
}

/// The running mean forgets over an epoch, or over a hundred batches where an epoch is longer.
double least_share(const PenaltyInput& in) {
  const auto batch = static_cast<double>(in.at.shape()[0]),
             rows = static_cast<double>(in.build.rows);
  return std::clamp(batch / std::max(rows, 1.0), 0.01, 1.0);
}

/// rho_hat's distance from the batch's mean, and the running mean as it moves on.
Var running_offset(const Choice& choice, const PenaltyInput& in) {
  const Type unit{in.at.type().dtype, {in.at.shape().begin() + 1, in.at.shape().end()}};
  const Var mean = in.graph.variable({.name = cat("penalty.", penalty_label(choice), ".rho_hat"),
                                      .type = unit,
                                      .role = Role::state,
                                      .init = {},
                                      .group = ""});
  const std::vector<Var> out =
      in.graph.apply(RunningMean{.least = least_share(in)}, {in.at, mean, in.build.step});
  in.build.updates.emplace_back(mean, out[0]);
  return out[1];
}

const RegisterPenalty kl_sparsity_penalty{
    {"kl_sparsity",
     "sum over units of KL(rho || mean activation), for activations in (0, 1)",
     {option("rho", real("(0, 1)"), "0.05", "the mean activation that is wanted"),
      option(
          "average", words({"batch", "running"}), "batch",
          "what a unit's activation is averaged over: the batch, or the batches of the training")},
     {"at"},
     ""},
    [](const Choice& choice, const PenaltyInput& in) {
      require_probabilities(choice, in.at);
      const bool running = choice.option("average").is("running") && in.build.training;
      return kl_sparsity(in.at, choice.option("rho").as_real(),
                         running ? running_offset(choice, in) : Var{});
    }};

}  // namespace
}  // namespace latent
