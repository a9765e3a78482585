#include "models/penalty.h"

#include <map>

#include "core/base/spelling.h"
#include "kernels/ops.h"

namespace latent {
namespace {

using namespace schema;

const RegisterOptions leading{
    "penalty",
    {option("weight", real("[0, inf)"), "1", "factor of the term in the objective")},
    RegisterOptions::leading};
const RegisterOptions trailing{
    "penalty",
    {option("schedule", choice_of(Family::schedule), "constant", "factor on the weight"),
     option("label", words({"none"}) | text("[A-Za-z0-9._-]+"), "none",
            "the name of its column; its own name where none is given")}};
const RegisterOptions at{"at",
                         {option("at", text(), "code",
                                 "the layer: code, encoder.N, decoder.N, output, hidden, a "
                                 "`name`; `.pre` behind it: before the activation")}};

std::map<std::string, PenaltyTerm>& terms() {
  static std::map<std::string, PenaltyTerm> terms;
  return terms;
}

/// What `at` names: the value of one layer, or those of all hidden ones.
std::vector<Var> values_at(const Value& address, const Build& build) {
  const std::string& name = address.as_string();
  if (name == "hidden" && !build.hidden.empty()) return build.hidden;
  if (auto found = build.taps.find(name); found != build.taps.end()) return {found->second};
  std::vector<std::string> known;
  for (const auto& [tap, v] : build.taps) known.push_back(tap);
  throw error_at(address.mark(), "at",
                 cat("no layer is called '", name, "'", did_you_mean(name, known)));
}

}  // namespace

RegisterPenalty::RegisterPenalty(ChoiceSpec spec, PenaltyTerm term) {
  terms()[spec.name] = std::move(term);
  RegisterChoice(Family::penalty, std::move(spec));
}

Var penalty_term(const Choice& choice, PenaltyInput in) {
  auto found = terms().find(choice.name);
  if (found == terms().end()) throw std::logic_error(cat("penalty ", choice.name, ": has no term"));
  const Value* address = choice.options.find("at");
  if (address) in.address = address->as_string();
  Graph::Scope scope(in.graph, penalty_label(choice));
  Var total;
  for (const Var& at : address ? values_at(*address, in.build) : std::vector<Var>{Var{}}) {
    in.at = at;
    Var term = found->second(choice, in);
    if (term.shape() == Shape{in.input.shape()[0] * in.code.samples})
      term = in.code.over_samples(term);
    total = total ? total + term : term;
  }
  return total;
}

std::string penalty_label(const Choice& choice) {
  const Value& label = choice.option("label");
  return label.is("none") ? choice.name : label.as_string();
}

}  // namespace latent
