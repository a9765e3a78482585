// What parts are built with: the graph, whether it trains, and the values that penalties and figures address.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/graph/graph.h"
#include "core/random/philox.h"
#include "models/file_layout.h"

namespace latent {

/// All trained parameters lie in this flat group; frozen ones have memory of their own.
inline constexpr const char* kParameters = "parameters";
/// The group of their moving averages, and the prefix of their names.
inline constexpr const char* kAverages = "ema";

struct TrainingLength;  // models/objective.h

struct Build {
  Graph& graph;
  bool training = false;  ///< dropout acts, statistics are the batch's
  DType real = DType::f32;
  bool averaged = false;  ///< parameters are their moving averages (train.ema)
  /// u64[1]: what draws are keyed with. Empty in the views, where nothing is drawn.
  Var seed = {}, step = {};
  /// By address: "encoder.0" (after the activation), "encoder.0.pre" (before it), "code", "output".
  std::map<std::string, Var> taps;
  std::vector<Var> hidden;  ///< the values of all layers but the output
  /// Leaf <- value at the end of a training step whose loss is finite: running statistics.
  std::vector<std::pair<Var, Var>> updates;
  /// Of the data set that the batch is from: what estimates on a batch weigh with.
  int64_t rows = 0;
  /// What schedules are resolved with; without, and without a step, they count as 1.
  const TrainingLength* length = nullptr;

  /// The stream of what is drawn: an evaluation has its own.
  uint64_t stream(const std::string& name) const {
    return stream_of(training ? name : "evaluation/" + name);
  }
};

/// `unit_norm`: which vectors of a weight are kept at Euclidean norm 1.
enum class UnitVectors : uint8_t { none, rows, columns };

/// What a part declares in the graph, before there is one: for tables and counts.
struct Parameter {
  std::string name;  ///< "encoder.0.weight"
  Type type;
  Init init;
  bool bias = false;                     ///< not in weight_decay
  bool frozen = false;                   ///< not trained: `freeze: true`, and running statistics
  FileLayout file = {};                  ///< in weights files, where they have it another way
  UnitVectors unit = UnitVectors::none;  ///< kept so by every step; `init` begins so
};

/// The parameter's leaf.
Var leaf(Build& build, const Parameter& parameter);

}  // namespace latent
