#include "models/objective.h"

#include <algorithm>
#include <cmath>

#include "core/config/schedules.h"
#include "kernels/ops.h"
#include "kernels/schedule_factor.h"
#include "models/penalty.h"

namespace latent {
namespace {

/// Importance weighting (Burda, Grosse and Salakhutdinov 2016, eq. 8): -log 1/K sum_k w_k of each row, in nats, where
/// log w = log p(x|z) + log p(z) - log q(z|x).
Var importance_weighted(Var nll, const Code& code) {
  const Var log_w = reshape(code.log_ratio - nll, {-1, code.samples});
  return std::log(static_cast<double>(code.samples)) - log_sum_exp(log_w);
}

/// The bound is of a density of the data and a code that is drawn, as they are.
void check_importance_weighted(const Model& model, const Forward& f) {
  const Value& objective = model.config().at("objective");
  const auto refuse = [&](const std::string& why) {
    throw error_at(objective.mark(), "model.objective", cat("iwae ", why));
  };
  if (!f.code.log_ratio) refuse("weighs samples of the code: use `bottleneck: {gaussian: UNITS}`");
  if (f.terms.front().name != "nll" || f.terms.front().weight != 1)
    refuse("needs a likelihood in nats: bernoulli, gaussian... with `reduction: sum`");
  for (const Value& penalty : model.config().at("penalties").list()) {
    const Choice choice = as_choice(penalty);
    if (choice.name != "kl") continue;
    const bool plain = choice.option("weight").as_real() == 1 &&
                       choice.option("capacity").is("none") &&
                       choice.option("free_bits").as_real() == 0 &&
                       as_choice(choice.option("schedule")).name == "constant";
    if (!plain) refuse("has the densities of the code in its weights: `kl` is left as it is, 1");
  }
}

/// The bound takes the place of likelihood and KL divergence, which are still logged.
void weigh_by_importance(const Model& model, Forward& f, Var nll) {
  check_importance_weighted(model, f);
  f.terms.front().weight = 0;
  for (const Value& penalty : model.config().at("penalties").list()) {
    const Choice choice = as_choice(penalty);
    if (choice.name != "kl") continue;
    std::ranges::find(f.terms, penalty_label(choice), &Term::name)->weight = 0;
  }
  f.terms.insert(f.terms.begin(), {"iwae", importance_weighted(nll, f.code), 1});
}

}  // namespace

Forward forward(const Model& model, Build& build, Var x, Var target, const TrainingLength* length,
                Var weight) {
  Forward f;
  f.code = model.encode(build, x);
  f.output = model.decode(build, f.code.value);
  const Likelihood& likelihood = model.likelihood();
  Graph::Scope scope(build.graph, "likelihood");
  f.mean = likelihood.mean(f.output);
  const Var nll = likelihood.rows(build, f.output, target, weight);  // [rows * samples]
  f.terms.push_back({likelihood.term(), f.code.over_samples(nll),
                     likelihood.weight(elements(model.target_shape()))});
  std::vector<Var> weights;
  for (const Parameter& p : model.parameters())
    if (!p.bias && !p.frozen) weights.push_back(leaf(build, p));
  for (const Value& penalty : model.config().at("penalties").list()) {
    const Choice choice = as_choice(penalty);
    const std::string name = penalty_label(choice);
    if (std::ranges::find(f.terms, name, &Term::name) != f.terms.end())
      throw error_at(penalty.mark(), "model.penalties",
                     cat("two terms are called '", name, "': give one a `label`"));
    f.terms.push_back({name, penalty_term(choice, {build.graph, build, model, f.code, x, weights}),
                       choice.option("weight").as_real()});
    if (length)
      f.terms.back().schedule =
          as_schedule(choice.option("schedule"), length->steps_per_epoch, length->total_steps);
  }
  if (model.config().at("objective").is("iwae")) weigh_by_importance(model, f, nll);
  return f;
}

Var objective(const std::vector<Term>& terms, Var step) {
  Var total;
  for (const Term& term : terms) {
    if (term.weight == 0) continue;  // logged alone
    Var weighted = term.weight * mean(term.value);
    if (!(term.schedule == Schedule{}))
      weighted = weighted * cast(apply(ScheduleFactor{.schedule = term.schedule}, {step}),
                                 weighted.type().dtype);
    total = total ? total + weighted : weighted;
  }
  return total;
}

}  // namespace latent
