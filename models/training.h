// The graphs of an experiment: a training step, a step of evaluation, and the three views (autoencoder, encoder, decoder).
#pragma once

#include <string>
#include <vector>

#include "kernels/optimizer/optimizer.h"
#include "models/batch.h"

namespace latent {

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
/// `terms` gets the names of the terms in order, `notes` what parts chose by themselves.
Graph training_graph(const Model& model, const SplitSource& source, const TrainingOptions& options,
                     std::vector<std::string>* terms = nullptr,
                     std::vector<std::string>* notes = nullptr);

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
Graph view_graph(const Model& model, View view, int64_t batch, bool averaged_weights = false);

/// The counter that the draws of a score depend on, beside the seed.
inline constexpr const char* kScoreStep = "score.step";

/// One number for each of the scaled rows in view_input(View::autoencoder) [batch, row...], larger for a row that is
/// explained worse, as output "result" [batch]: nll, mse or mae of the reconstruction, or `elbo`, the negative evidence
/// lower bound with drawn codes; nats, but for mse and mae. Throws UserError where the model has no such score.
Graph score_graph(const Model& model, const std::string& score, int64_t batch,
                  bool averaged_weights = false);

}  // namespace latent
