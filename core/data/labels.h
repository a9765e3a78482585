// Labels as numbers of classes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace latent {

struct Labels {
  std::vector<int64_t> ids;  ///< one a row: its place in `names`
  std::vector<std::string>
      names;  ///< the different labels: numbers by their value, then words by the alphabet
};

Labels make_labels(const std::vector<std::string>& texts);

}  // namespace latent
