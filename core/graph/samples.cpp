#include "core/graph/samples.h"

#include <algorithm>
#include <utility>

namespace latent {
namespace {

using Maker = std::function<std::vector<Sample>()>;

/// Filled while static objects are made; samples themselves are made when asked for, after all of
/// them.
std::vector<std::pair<std::string, Maker>>& makers() {
  static std::vector<std::pair<std::string, Maker>> list;
  return list;
}

}  // namespace

RegisterSamples::RegisterSamples(std::string file, std::function<std::vector<Sample>()> make) {
  makers().emplace_back(std::move(file), std::move(make));
}

std::vector<Sample> all_samples() {
  auto sorted = makers();
  std::ranges::stable_sort(sorted, {}, &std::pair<std::string, Maker>::first);
  std::vector<Sample> all;
  for (const auto& [file, make] : sorted) std::ranges::move(make(), std::back_inserter(all));
  return all;
}

}  // namespace latent
