// Maximum mean discrepancy between a code and its prior N(0, 1): WAE (Tolstikhin et al. 2018), InfoVAE (Zhao et al. 2019).
#include "kernels/ops.h"
#include "kernels/random/draw.h"
#include "models/penalty.h"

namespace latent {
namespace {

using namespace schema;

/// |x_i - y_j|^2, [rows of x, rows of y].
Var squared_distances(Var x, Var y) {
  const int64_t n = x.shape()[0], m = y.shape()[0];
  const Var xx = reshape(sum_rows(square(x)), {n, 1}), yy = reshape(sum_rows(square(y)), {1, m});
  return xx + yy - 2 * matmul(x, y, false, true);
}

/// sum over all pairs and all scales of k(x_i, y_j). A scale s is the bandwidth C = 2 s units: s times the squared
/// distance that two draws from the prior have on average.
Var kernel_sum(const Choice& choice, Var x, Var y) {
  const Var distances = squared_distances(x, y);
  const bool rbf = choice.option("kernel").is("rbf");
  const auto units = static_cast<double>(x.shape()[1]);
  Var total;
  for (const Value& scale : choice.option("scales").list()) {
    const double c = 2 * units * scale.as_real();
    const Var k = sum(rbf ? exp(distances / -c) : reciprocal(distances / c + 1));
    total = total ? total + k : k;
  }
  return total;
}

/// The unbiased estimator (Gretton et al. 2012, eq. 3): pairs of a row with itself are left out.
Var mmd_term(const Choice& choice, const PenaltyInput& in) {
  const int64_t n = in.at.shape()[0];
  if (n < 2)
    throw UserError(
        "model.penalties: mmd compares rows with each other: batch_size must be at least 2");
  const Var code = reshape(in.at, {n, -1});
  const Draw draw{.kind = Draw::Kind::normal,
                  .stream = in.build.stream(penalty_label(choice) + ".prior"),
                  .shape = code.shape()};
  const Var prior = cast(apply(draw, {in.build.seed, in.build.step}), code.type().dtype);
  const auto pairs = static_cast<double>(n * (n - 1));
  const auto itself = static_cast<double>(n * choice.option("scales").list().size());
  const Var within = kernel_sum(choice, code, code) + kernel_sum(choice, prior, prior) - 2 * itself;
  return within / pairs - kernel_sum(choice, code, prior) * (2 / static_cast<double>(n * n));
}

const RegisterPenalty mmd{
    {"mmd",
     "maximum mean discrepancy between the batch's codes and draws from N(0, 1), unbiased; one "
     "value a batch",
     {option("kernel", words({"imq", "rbf"}), "imq", "C / (C + d^2), or exp(-d^2 / C)"),
      option("scales", list_of(real("(0, inf)")), "[0.1, 0.2, 0.5, 1, 2, 5, 10]",
             "C = 2 scale units, one kernel for each, added up")},
     {"at"},
     ""},
    mmd_term};

}  // namespace
}  // namespace latent
