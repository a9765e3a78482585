// Evaluations that read rows: what they compute, by hand; what they refuse before anything is trained.
#include "experiments/evaluation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/data/ridge.h"
#include "core/report/detection.h"
#include "core/report/image_quality.h"
#include "experiments/evaluator.h"
#include "tests/data_files.h"
#include "tests/small_training.h"

namespace latent {
namespace {

// ---- Scores against labels ----

TEST(Detection, AurocIsTheShareOfPairsInOrder) {
  const std::vector<double> scores{0.1, 0.4, 0.35, 0.8};
  const std::vector<bool> anomalous{false, false, true, true};
  EXPECT_DOUBLE_EQ(auroc(scores, anomalous), 0.75);
  EXPECT_DOUBLE_EQ(average_precision(scores, anomalous), (1.0 + 2.0 / 3) / 2);
  // Ties count as half, and are one step.
  const std::vector<double> tied{1, 1, 2, 1};
  EXPECT_DOUBLE_EQ(auroc(tied, anomalous), (2 + 2 * 0.5) / 4);
  EXPECT_DOUBLE_EQ(average_precision(tied, anomalous), (1 + 2.0 / 4) / 2);
  EXPECT_DOUBLE_EQ(auroc(std::vector<double>(4, 7.0), anomalous), 0.5);
  EXPECT_TRUE(std::isnan(auroc(scores, std::vector<bool>(4, true))));
  EXPECT_TRUE(std::isnan(average_precision(scores, std::vector<bool>(4, false))));
}

TEST(Detection, CountsWhatLiesAboveTheThreshold) {
  const std::vector<double> scores{0.1, 0.4, 0.35, 0.8, 0.9};
  const std::vector<bool> anomalous{false, false, true, true, false};
  const Detection d = detect(scores, anomalous, 0.35);  // above it, not at it
  EXPECT_DOUBLE_EQ(d.accuracy, 2.0 / 5);
  EXPECT_DOUBLE_EQ(d.precision, 1.0 / 3);
  EXPECT_DOUBLE_EQ(d.recall, 1.0 / 2);
  EXPECT_DOUBLE_EQ(d.f1, 2.0 / 5);
  const Detection none = detect(scores, anomalous, 1);
  EXPECT_EQ(none.precision, 0);
  EXPECT_EQ(none.f1, 0);
  EXPECT_DOUBLE_EQ(quantile({3, 1, 2, 5}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile({3, 1, 2, 5}, 1), 5);
  EXPECT_DOUBLE_EQ(quantile({3}, 0.3), 3);
}

// ---- Pictures against clean ones ----

TEST(ImageQuality, PsnrIsOfTheMeanSquaredError) {
  const std::vector<float> clean{0, 0.5f, 1, 0}, noisy{0.1f, 0.5f, 1, 0.1f};
  EXPECT_NEAR(psnr(noisy, clean, 1), 10 * std::log10(1 / 0.005), 1e-5);
  EXPECT_NEAR(psnr(noisy, clean, 255), 10 * std::log10(255 * 255 / 0.005), 1e-5);
  EXPECT_TRUE(std::isinf(psnr(clean, clean, 1)));
}

TEST(ImageQuality, SsimOfFlatPicturesIsTheLuminanceTerm) {
  const std::vector<float> a(13 * 12 * 2, 0.5f), b(13 * 12 * 2, 0.25f);
  EXPECT_NEAR(ssim(a, a, 13, 12, 2, 1), 1, 1e-12);
  const double c1 = 1e-4;
  EXPECT_NEAR(ssim(b, a, 13, 12, 2, 1), (2 * 0.125 + c1) / (0.25 + 0.0625 + c1), 1e-9);
  EXPECT_THROW(ssim(a, a, 10, 12, 2, 1), std::logic_error);
}

TEST(ImageQuality, SsimOfAPictureTurnedOverIsNegative) {
  std::vector<float> a, b;
  for (int i = 0; i < 28 * 28; ++i) {
    a.push_back((i / 3 + i / 28) % 2 == 0 ? 0.2f : 0.8f);
    b.push_back(1 - a.back());
  }
  EXPECT_NEAR(ssim(a, a, 28, 28, 1, 1), 1, 1e-12);
  EXPECT_LT(ssim(b, a, 28, 28, 1, 1), -0.5);
}

TEST(Ridge, FindsALinearMap) {
  const int64_t n = 3000, d = 5;  // more than one block of rows
  HostTensor x(Type{DType::f32, {n, d}}), y(Type{DType::f32, {n, 2}});
  std::mt19937_64 engine(3);
  draw(x, engine, -1, 1);
  for (int64_t i = 0; i < n; ++i) {
    const float* row = x.as<float>().data() + i * d;
    y.as<float>()[i * 2] = 2 * row[0] - row[3] + 0.5f;
    y.as<float>()[i * 2 + 1] = row[4] / 4 - 3;
  }
  const std::vector<float> found = Ridge(x, y).predict(x);
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], y.as<float>()[i], 1e-4);
}

// ---- Evaluations ----

std::map<std::string, double> evaluated(const Experiment& e, Store& store,
                                        const std::string& split = "test") {
  std::map<std::string, double> found;
  for (const auto& [name, value] :
       Evaluator(e, store, split, false).run(e.config.at("evaluate").list()))
    found[name] = value;
  return found;
}

Experiment experiment(const std::string& data, const std::string& model,
                      const std::string& evaluate, const std::string& train = "epochs: 1") {
  const std::string text = cat("data: {", data, "}\nmodel: {", model, "}\ntrain: {batch_size: 8, ",
                               train, "}\nevaluate: [", evaluate, "]\n");
  return make_experiment(resolve_config(parse_yaml(text, "test.yaml"), "test"));
}

const std::string kStrokes = "source: strokes, count: 60, train: 40, validation: 10, test: 10",
                  kWaves = "source: waves, count: 60, train: 40, validation: 10, test: 10",
                  kSmall = "bottleneck: {dense: 4}, likelihood: mse";

TEST(DenoisingEvaluation, HoldsTheOutputAgainstTheCleanRows) {
  const Experiment e =
      experiment(kStrokes, kSmall + ", corruption: {gaussian: 0.5, clip: [0, 1]}", "denoising");
  Training training(e);
  const auto found = evaluated(e, training.store);
  const HostTensor clean = scaled_split(e, "test"),
                   noisy = corrupted(e, e.config.at("model").at("corruption"), clean,
                                     training.store.shared_device());
  EXPECT_NE(noisy, clean);
  Views views(*e.model, training.store);
  const HostTensor output = views.run(View::autoencoder, noisy);
  const auto mean_psnr = [&](const HostTensor& values) {
    double sum = 0;
    for (size_t i = 0; i < 10; ++i)
      sum += psnr(values.as<float>().subspan(i * 784, 784), clean.as<float>().subspan(i * 784, 784),
                  1);
    return sum / 10;
  };
  EXPECT_NEAR(found.at("psnr"), mean_psnr(output), 1e-9);
  EXPECT_NEAR(found.at("input.psnr"), mean_psnr(noisy), 1e-9);
  EXPECT_GT(found.at("ridge.psnr"), found.at("input.psnr"));
  EXPECT_GT(found.at("ssim"), -1);
  EXPECT_LT(found.at("ssim"), 1);
  EXPECT_EQ(found, evaluated(e, training.store));
}

TEST(DenoisingEvaluation, MayCorruptByItself) {
  const Experiment e = experiment(kStrokes, kSmall, "{denoising: {corruption: {masking: 0.5}}}");
  Training training(e);
  const auto found = evaluated(e, training.store);
  EXPECT_GT(found.at("input.psnr"), 3);
  EXPECT_LT(found.at("input.psnr"), 30);
  expect_user_error([] { experiment(kStrokes, kSmall, "denoising"); }, "denoising",
                    "nothing is corrupted");
}

TEST(AnomalyEvaluation, HoldsScoresAgainstLabels) {
  for (const std::string score : {"mse", "mae", "nll", "elbo"}) {
    const bool nats = score == "nll" || score == "elbo";
    const std::string model =
        nats ? "encoder: [flatten], bottleneck: {gaussian: 3}, likelihood: gaussian"
             : "encoder: [flatten], bottleneck: {dense: 3}, likelihood: mse";
    const Experiment e = experiment(
        kWaves + ", train_on: normal", model,
        cat("{anomaly: {score: ", score, ", threshold: {quantile: 0.5}, components: 2}}"));
    Training training(e);
    const auto found = evaluated(e, training.store);
    const HostTensor rows = scaled_split(e, "test"), train = scaled_split(e, "train");
    Views views(*e.model, training.store);
    const std::vector<double> scores = views.scores(score, rows, 0);
    ASSERT_EQ(scores.size(), 10u);
    std::vector<bool> anomalous;
    for (const int64_t label : e.data.test_labels)
      anomalous.push_back(e.data.label_names.at(static_cast<size_t>(label)) != "0");
    EXPECT_EQ(found.at("auroc"), auroc(scores, anomalous)) << score;
    EXPECT_EQ(found.at("threshold"), quantile(views.scores(score, train, 0), 0.5)) << score;
    EXPECT_GT(found.at("norm.auroc"), 0);
    EXPECT_EQ(found, evaluated(e, training.store));
    if (nats) continue;
    const HostTensor output = views.run(View::autoencoder, rows);
    const auto width = static_cast<size_t>(rows.type.elements() / 10);
    for (size_t i = 0; i < 10; ++i) {
      double sum = 0;
      for (size_t k = 0; k < width; ++k) {
        const double d =
            double(output.as<float>()[i * width + k]) - rows.as<float>()[i * width + k];
        sum += score == "mse" ? d * d : std::abs(d);
      }
      EXPECT_NEAR(scores[i], sum / static_cast<double>(width), 1e-5 * sum);
    }
  }
}

TEST(AnomalyEvaluation, ScoresOfADrawnCodeFollowTheSeed) {
  const Experiment e =
      experiment(kStrokes, "bottleneck: {gaussian: 3}, likelihood: bernoulli", "{anomaly: elbo}");
  Training training(e);
  Views views(*e.model, training.store);
  const HostTensor rows = scaled_split(e, "test");
  EXPECT_EQ(views.scores("elbo", rows, 1), views.scores("elbo", rows, 1));
  EXPECT_NE(views.scores("elbo", rows, 1), views.scores("elbo", rows, 2));
}

TEST(AnomalyEvaluation, RefusesWhatHasNoScore) {
  expect_user_error([] { experiment(kStrokes, kSmall, "{anomaly: nll}"); }, "nll", "in nats");
  expect_user_error(
      [] {
        experiment(kStrokes, "bottleneck: {dense: 3}, likelihood: bernoulli", "{anomaly: elbo}");
      },
      "elbo", "gaussian");
}

TEST(AnomalyEvaluation, ValidationsMayBeStoppedByIt) {
  const std::string stop = "epochs: 2, stop: {patience: 2, metric: validation.auroc}";
  const auto trained = [&](const std::string& evaluate) {
    const Experiment e = experiment(kWaves, "encoder: [flatten], " + kSmall, evaluate, stop);
    Training training(e);
    return Evaluator(e, training.store, "validation", false).names(e.config.at("evaluate").list());
  };
  const auto names = trained("{anomaly: {every: 1 epochs}}");
  EXPECT_TRUE(std::ranges::find(names, "auroc") != names.end());
  EXPECT_TRUE(std::ranges::find(names, "norm.auroc") == names.end());
}

}  // namespace
}  // namespace latent
