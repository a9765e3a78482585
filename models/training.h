// The graphs of an experiment: a training step, a step of evaluation, and the three views (autoencoder, encoder, decoder).
#pragma once

#include <string>
#include <vector>

#include "kernels/data/gather.h"
#include "kernels/optimizer/optimizer.h"
#include "models/objective.h"

namespace latent {

/// Names of variables that are not parameters.
namespace names {
inline constexpr const char* kSeed = "seed";
inline constexpr const char* kShift = "data.shift";
inline constexpr const char* kScale = "data.scale";
}  // namespace names

/// A split as it lies on the device: blocks of rows as stored, scaled as they are gathered.
struct SplitSource {
  std::string name;  ///< "train"; blocks are "data.train.0", ...
  DType stored = DType::u8;
  int64_t rows = 0;
  int64_t rows_per_block = 0;
  int64_t scale_size = 1;  ///< elements of shift and scale: 1, or one a feature
  /// Values become 0 or 1, drawn with their probability: anew at each presentation in training, once a row in evaluation.
  bool dynamic_binarize = false;
};

/// How many rows of `row` lie in one block: at most 256 MiB.
int64_t rows_per_block(DType stored, const Shape& row, int64_t rows);

struct TrainingOptions {
  int64_t batch = 256;
  TrainingLength length;
  bool shuffle = true;
  bool drop_tail = false;
  Optimizer optimizer;
  double clip = 0;  ///< largest gradient norm; 0: none
  double ema = 0;   ///< decay of averaged weights; 0: none
};

/// One optimizer step. Variables: "step", "latch", "sums" = [count, loss, terms...] (f64), parameters, "optimizer.*".
/// `terms` gets the names of the terms in order.
Graph training_graph(const Model& model, const SplitSource& source, const TrainingOptions& options,
                     std::vector<std::string>* terms = nullptr);

/// One batch of evaluation over a split, in order; the last batch is padded and counts its real rows alone.
/// `terms` gets the names of the objective's terms, then those of the metrics; `objective_terms` how many the first are.
/// Variables: "<split>.step", "<split>.latch", "<split>.sums" = [count, loss, terms..., metrics...], "<split>.peak" [code]
/// (the largest |activation| of each unit).
Graph evaluation_graph(const Model& model, const SplitSource& source, int64_t batch,
                       std::vector<std::string>* terms = nullptr, bool averaged_weights = false,
                       size_t* objective_terms = nullptr);

enum class View { autoencoder, encoder, decoder };

/// The variable that a view reads its rows from.
std::string view_input(View view);

/// Rows in the variable view_input [batch, ...] (scaled data, or codes for the decoder), the result as output "result":
/// reconstruction or codes.
Graph view_graph(const Model& model, View view, int64_t batch);

}  // namespace latent
