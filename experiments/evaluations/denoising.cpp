// Denoising: the reconstruction of corrupted rows against the clean ones, beside the corrupted rows themselves and the best
// linear denoiser.
#include <cmath>

#include "core/data/ridge.h"
#include "core/report/image_quality.h"
#include "experiments/evaluation.h"

namespace latent {
namespace {

using namespace schema;

const Value& corruption_of(const Choice& choice, const Experiment& e) {
  const Value& own = choice.option("corruption");
  return own.is("model") ? e.config.at("model").at("corruption") : own;
}

void check(const Choice& choice, const Experiment& e) {
  if (e.data.masked)
    throw UserError("denoising: takes whole rows, and data.missing leaves cells out");
  if (e.data.targets && e.data.targets->shape != e.data.shape)
    throw UserError("denoising: the targets have another shape than the rows");
  if (!has_corruption(corruption_of(choice, e)) && !e.data.targets)
    throw UserError(
        "denoising: nothing is corrupted: give model.corruption, this evaluation's own "
        "`corruption`, or data.target");
}

/// Means over rows [n, row...] of what tells them from the clean ones.
struct Quality {
  double psnr = 0, ssim = 0;
};

Quality quality(std::span<const float> values, const HostTensor& clean, double peak) {
  const Shape& shape = clean.type.shape;
  const int64_t n = shape[0];
  const size_t width = static_cast<size_t>(clean.type.elements() / n);
  const bool picture = shape.size() >= 3 && shape[1] >= kSsimWindow && shape[2] >= kSsimWindow;
  const int64_t channels = shape.size() > 3 ? shape[3] : 1;
  std::vector<Quality> each(static_cast<size_t>(n));
#pragma omp parallel for
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<size_t>(i) * width;
    const auto row = values.subspan(at, width), want = clean.as<float>().subspan(at, width);
    Quality& q = each[static_cast<size_t>(i)];
    q.psnr = psnr(row, want, peak);
    if (picture) q.ssim = ssim(row, want, shape[1], shape[2], channels, peak);
  }
  Quality mean;
  for (const Quality& q : each) {
    mean.psnr += q.psnr / static_cast<double>(n);
    mean.ssim += q.ssim / static_cast<double>(n);
  }
  if (!picture) mean.ssim = NAN;
  return mean;
}

Metrics run(const EvaluationInput& in) {
  const Experiment& e = in.experiment;
  const Value& corruption = corruption_of(in.choice, e);
  const auto noisy_rows = [&](const std::string& split) {
    return corrupted(e, corruption, scaled_split(e, split), in.views.device());
  };
  const HostTensor noisy = noisy_rows(in.split), clean = scaled_targets(e, in.split);
  const ValueRange& range = e.data.targets ? e.data.targets->range : e.data.range;
  const double peak = range.hi - range.lo;
  const Quality model = quality(in.views.run(View::autoencoder, noisy).as<float>(), clean, peak),
                input = quality(noisy.as<float>(), clean, peak),
                ridge =
                    quality(Ridge(noisy_rows("train"), scaled_targets(e, "train")).predict(noisy),
                            clean, peak);
  Metrics metrics{{"psnr", model.psnr}, {"input.psnr", input.psnr}, {"ridge.psnr", ridge.psnr}};
  if (!std::isnan(model.ssim))
    metrics.insert(metrics.end(),
                   {{"ssim", model.ssim}, {"input.ssim", input.ssim}, {"ridge.ssim", ridge.ssim}});
  return metrics;
}

const RegisterEvaluation denoising{
    {"denoising",
     "clean rows out of corrupted ones: psnr ssim input.psnr ridge.psnr",
     {option(
         "corruption",
         words({"model"}) | choice_of(Family::corruption) | list_of(choice_of(Family::corruption)),
         "model", "model: the model's")},
     {},
     ""},
    {.names = {"psnr", "ssim"}, .check = check, .run = run}};

}  // namespace
}  // namespace latent
