// Maximum mean discrepancy between a code and its prior N(0, 1): WAE (Tolstikhin et al. 2018), InfoVAE (Zhao et al. 2019).
#include "kernels/ops.h"
#include "kernels/penalty/penalty.h"
#include "kernels/random/draw.h"
#include "models/penalty.h"

namespace latent {
namespace {

using namespace schema;

/// A scale s is the bandwidth 2 s units: s times the squared distance that two draws from the prior have on average.
MmdKernel kernel_of(const Choice& choice, int64_t units) {
  const Value& scales = choice.option("scales");
  if (scales.list().size() > MmdKernel::kMost)
    throw error_at(scales.mark(), "model.penalties.mmd.scales",
                   cat("has ", scales.list().size(), " scales; at most ", MmdKernel::kMost));
  MmdKernel kernel{.shape = choice.option("kernel").is("rbf") ? MmdKernel::Shape::rbf
                                                              : MmdKernel::Shape::imq};
  for (const Value& scale : scales.list())
    kernel.bandwidths.push_back(2 * static_cast<double>(units) * scale.as_real());
  return kernel;
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
  return mmd(code, prior, kernel_of(choice, code.shape()[1]));
}

const RegisterPenalty mmd_penalty{
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
