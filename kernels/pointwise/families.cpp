// The registry of functions of one variable.
#include <algorithm>
#include <map>

#include "core/config/registry.h"
#include "kernels/functions.h"
#include "kernels/real.h"

namespace latent {
namespace {

/// Nodes of a map stay where they are, so families can be pointed at.
std::map<std::string, PointwiseFamily, std::less<>>& families() {
  static std::map<std::string, PointwiseFamily, std::less<>> by_name;
  return by_name;
}

const PointwiseFamily* family_with(AnyOp PointwiseFamily::*member, const AnyOp& op) {
  if (!op) return nullptr;
  for (const auto& [name, family] : families())
    if (family.*member == op) return &family;
  return nullptr;
}

}  // namespace

std::vector<Type> infer_gradient(std::string_view op, Types in) {
  require_reals(op, in, 2);
  const Shape &g = in[0].shape, &x = in[1].shape;
  if (g.size() < x.size() || !std::equal(x.rbegin(), x.rend(), g.rbegin()))
    throw op_error(op, "takes g [..., X] and x [X]", in);
  return {in[0]};
}

void register_pointwise(PointwiseFamily family) {
  const std::string name = family.name;
  if (family.activation) {  // a value of `activation:`, and a layer by its name
    RegisterChoice(Family::activation, {name, "", {}, {}, ""});
    RegisterChoice(Family::layer, {name, "the activation " + name, {}, {}, ""});
  }
  if (!families().emplace(name, std::move(family)).second)
    throw std::logic_error(cat("pointwise: ", name, " is registered twice"));
}

const PointwiseFamily* find_pointwise(std::string_view name) {
  const auto found = families().find(name);
  return found == families().end() ? nullptr : &found->second;
}

const PointwiseFamily* family_of_forward(const AnyOp& op) {
  return family_with(&PointwiseFamily::forward, op);
}

const PointwiseFamily* family_of_gradient(const AnyOp& op) {
  return family_with(&PointwiseFamily::gradient, op);
}

std::vector<const PointwiseFamily*> pointwise_families() {
  std::vector<const PointwiseFamily*> all;
  for (const auto& [name, family] : families()) all.push_back(&family);
  return all;
}

}  // namespace latent
