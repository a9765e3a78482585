// Total correlation of a Gaussian code, KL(q(z) || prod_j q(z_j)), estimated on the batch: beta-TCVAE (Chen et al. 2018).
#include <cmath>
#include <numbers>

#include "kernels/ops.h"
#include "models/penalty.h"

namespace latent {
namespace {

using namespace schema;

/// log q(z_iu | x_j), [i, unit, j].
Var log_densities(const Code& code) {
  const int64_t rows = code.mu.shape()[0], units = code.mu.shape()[1];
  const Var z = reshape(code.value, {rows, units, 1});
  const Var mu = transpose(code.mu), logvar = transpose(code.logvar);  // [units, j]
  return -0.5 * (square(z - mu) * exp(-logvar) + logvar + std::log(2 * std::numbers::pi));
}

/// Logarithms of the weights of q(z_i | x_j) in the estimate of q(z_i), [i, 1, j], for batches of M + 1 = `batch`
/// examples of `rows`. weighted: 1 / (rows batch) (eq. 5). stratified: 1 / rows for i's own x, 1 / M for the others but one, (rows - M) / (rows M)
/// for that one (appendix C.2).
Init log_weights(int64_t batch, int64_t rows, bool stratified) {
  return [=](HostTensor& t) {
    const auto m = static_cast<double>(batch - 1), n = static_cast<double>(rows);
    for (int64_t i = 0; i < batch; ++i)
      for (int64_t j = 0; j < batch; ++j) {
        double w = 1 / (n * static_cast<double>(batch));
        if (stratified) w = j == i ? 1 / n : j == (i + 1) % batch ? (n - m) / (n * m) : 1 / m;
        if (t.type.dtype == DType::f64)
          t.as<double>()[i * batch + j] = std::log(w);
        else
          t.as<float>()[i * batch + j] = static_cast<float>(std::log(w));
      }
  };
}

Var total_correlation_term(const Choice& choice, const PenaltyInput& in) {
  if (!in.code.kl)
    throw UserError(
        "model.penalties: total_correlation is of a Gaussian code: use `bottleneck: {gaussian: "
        "UNITS}`");
  if (in.code.samples != 1)
    throw UserError("model.penalties: total_correlation takes one sample an example: `samples: 1`");
  const int64_t batch = in.code.mu.shape()[0], rows = std::max(in.build.rows, batch);
  if (batch < 2)
    throw UserError(
        "model.penalties: total_correlation compares rows with each other: batch_size must be at "
        "least 2");
  const bool stratified = choice.option("estimator").is("stratified");
  const Var weights =
      in.graph.variable({.name = cat(penalty_label(choice), ".log_weights.", batch, ".", rows),
                         .type = {in.code.mu.type().dtype, {batch, 1, batch}},
                         .role = Role::constant,
                         .init = log_weights(batch, rows, stratified)});
  const Var densities = log_densities(in.code);
  const int units[] = {1};
  const Var joint = log_sum_exp(sum_axes(densities, units, true) + weights);  // [i, 1]
  return sum_rows(joint) - sum_rows(log_sum_exp(densities + weights));
}

const RegisterPenalty total_correlation{
    {"total_correlation",
     "log q(z) - sum over units of log q(z_j), estimated on the batch; weight: beta - 1 of a "
     "beta-TCVAE",
     {option("estimator", words({"weighted", "stratified"}), "weighted",
             "minibatch weighted, or stratified, sampling (Chen et al. 2018)")},
     {},
     ""},
    total_correlation_term};

}  // namespace
}  // namespace latent
