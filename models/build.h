// What parts are built with: the graph, whether it trains, and the values that penalties and figures address.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/graph/graph.h"

namespace latent {

/// All trained parameters lie in this flat group; frozen ones have memory of their own.
inline constexpr const char* kParameters = "parameters";
/// The group of their moving averages, and the prefix of their names.
inline constexpr const char* kAverages = "ema";

struct Build {
  Graph& graph;
  bool training = false;  ///< dropout acts, corruption is drawn
  DType real = DType::f32;
  bool averaged = false;  ///< parameters are their moving averages (train.ema)
  /// By address: "encoder.0" (after the activation), "encoder.0.pre" (before it), "code", "output".
  std::map<std::string, Var> taps;
  std::vector<Var> hidden;  ///< the values of all layers but the output
};

/// What a part declares in the graph, before there is one: for tables and counts.
struct Parameter {
  std::string name;  ///< "encoder.0.weight"
  Type type;
  Init init;
  bool bias = false;    ///< not in weight_decay
  bool frozen = false;  ///< `freeze: true`
};

/// The parameter's leaf.
Var leaf(Build& build, const Parameter& parameter);

}  // namespace latent
