#include "core/data/labels.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "core/data/csv.h"

namespace latent {

Labels make_labels(const std::vector<std::string>& texts) {
  const std::set<std::string> distinct(texts.begin(), texts.end());
  Labels labels{.ids = {}, .names = {distinct.begin(), distinct.end()}};
  std::ranges::stable_sort(labels.names, {}, [](const std::string& name) {
    return parse_number(name).value_or(std::numeric_limits<double>::infinity());
  });
  std::map<std::string_view, int64_t> places;
  for (const std::string& name : labels.names)
    places.emplace(name, static_cast<int64_t>(places.size()));
  for (const std::string& text : texts) labels.ids.push_back(places.at(text));
  return labels;
}

}  // namespace latent
