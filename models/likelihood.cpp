#include "models/likelihood.h"

#include <map>

namespace latent {
namespace {

std::map<std::string, MakeLikelihood>& makers() {
  static std::map<std::string, MakeLikelihood> makers;
  return makers;
}

}  // namespace

RegisterLikelihood::RegisterLikelihood(ChoiceSpec spec, MakeLikelihood make) {
  makers()[spec.name] = std::move(make);
  RegisterChoice(Family::likelihood, std::move(spec));
}

std::unique_ptr<Likelihood> make_likelihood(const Choice& choice) {
  auto found = makers().find(choice.name);
  if (found == makers().end())
    throw std::logic_error(cat("likelihood ", choice.name, ": has no maker"));
  return found->second(choice);
}

}  // namespace latent
