#include "models/objective.h"

#include <algorithm>

#include "core/config/schedules.h"
#include "kernels/ops.h"
#include "kernels/schedule_factor.h"
#include "models/penalty.h"

namespace latent {
namespace {

/// [rows * samples] -> the mean over the samples [rows].
Var over_samples(Var v, int64_t samples) {
  return samples == 1 ? v : mean_rows(reshape(v, {-1, samples}));
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
  f.terms.push_back({likelihood.term(),
                     over_samples(likelihood.rows(build, f.output, target, weight), f.code.samples),
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
  return f;
}

Var objective(const std::vector<Term>& terms, Var step) {
  Var total;
  for (const Term& term : terms) {
    Var weighted = term.weight * mean(term.value);
    if (!(term.schedule == Schedule{}))
      weighted = weighted * cast(apply(ScheduleFactor{.schedule = term.schedule}, {step}),
                                 weighted.type().dtype);
    total = total ? total + weighted : weighted;
  }
  return total;
}

}  // namespace latent
