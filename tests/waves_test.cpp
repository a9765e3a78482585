// The embedded series: the same bytes everywhere, the first rows of more rows, and anomalies that one value does not tell.
#include "core/data/waves.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "core/base/sha256.h"

namespace latent {
namespace {

TEST(WavesTest, TheSameBytesOnEveryMachine) {
  const Waves waves = make_waves(1000, 0);
  ASSERT_EQ(waves.rows.type, (Type{DType::f32, {1000, 140, 1}}));
  Sha256 hash;
  hash.update(waves.rows.bytes);
  hash.update(std::as_bytes(std::span(waves.labels)));
  EXPECT_EQ(hash.hex(), "2203e3c841f9300ab89bd967ac8cb9b3828c8985314a54c7053997870a4eb1e7");
}

TEST(WavesTest, FewerRowsAreTheFirstOfMore) {
  const Waves few = make_waves(7, 3), many = make_waves(50, 3), other = make_waves(7, 4);
  EXPECT_TRUE(std::equal(few.rows.bytes.begin(), few.rows.bytes.end(), many.rows.bytes.begin()));
  EXPECT_TRUE(std::equal(few.labels.begin(), few.labels.end(), many.labels.begin()));
  EXPECT_NE(few.rows.bytes, other.rows.bytes);
}

TEST(WavesTest, FourInFiveAreNormalAndEveryKindIsThere) {
  const Waves waves = make_waves(5000, 0);
  std::array<int, 5> counts{};
  for (uint8_t label : waves.labels) ++counts.at(label);
  EXPECT_NEAR(counts[0], 4000, 120);
  for (int kind = 1; kind < 5; ++kind) EXPECT_NEAR(counts[kind], 250, 70) << kind;
  const auto values = waves.rows.as<float>();
  for (size_t i = 0; i < 5000; ++i) {
    const auto row = values.subspan(i * kWaveSteps, kWaveSteps);
    EXPECT_GT(std::ranges::max(row), 0.7) << "row " << i;
    EXPECT_LT(std::ranges::max(row), 4) << "row " << i;
    EXPECT_GT(std::ranges::min(row), -3) << "row " << i;
  }
}

/// The distance from the mean normal row finds some anomalies, and leaves something to be found.
TEST(WavesTest, AreNeitherTooEasyNorTooHard) {
  const Waves waves = make_waves(4000, 1);
  const auto values = waves.rows.as<float>();
  std::array<double, kWaveSteps> mean{};
  int64_t normal = 0;
  for (size_t i = 0; i < waves.labels.size(); ++i) {
    if (waves.labels[i] != 0) continue;
    ++normal;
    for (int t = 0; t < kWaveSteps; ++t) mean[t] += values[i * kWaveSteps + t];
  }
  std::vector<std::pair<double, bool>> scores;
  for (size_t i = 0; i < waves.labels.size(); ++i) {
    double distance = 0;
    for (int t = 0; t < kWaveSteps; ++t) {
      const double d = values[i * kWaveSteps + t] - mean[t] / static_cast<double>(normal);
      distance += d * d;
    }
    scores.emplace_back(distance, waves.labels[i] != 0);
  }
  std::ranges::sort(scores);
  double pairs = 0, below = 0;  // AUROC: pairs in which the anomaly has the greater distance
  for (const auto& [score, anomaly] : scores) {
    if (anomaly)
      pairs += below;
    else
      ++below;
  }
  const double auroc = pairs / (below * (static_cast<double>(scores.size()) - below));
  EXPECT_GT(auroc, 0.65);
  EXPECT_LT(auroc, 0.9);
}

}  // namespace
}  // namespace latent
