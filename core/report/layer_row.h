// One layer of a model as tables and diagrams show it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace latent {

struct LayerRow {
  std::string part;            ///< input | corruption | encoder | bottleneck | decoder
  std::string name;            ///< its address: encoder.0, code, output
  std::string kind;            ///< "dense, relu": what it does, then its activation
  std::vector<int64_t> shape;  ///< of one row's output: [128], [28, 28, 1]
  int64_t parameters = 0;
};

/// [28, 28, 1] -> "28 x 28 x 1".
inline std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out;
  for (int64_t size : shape) out += (out.empty() ? "" : " x ") + std::to_string(size);
  return out;
}

}  // namespace latent
