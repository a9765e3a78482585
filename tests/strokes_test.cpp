// The embedded digits: the same bytes everywhere, the first rows of more rows, and neither too easy nor too hard.
#include "core/data/strokes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/base/sha256.h"
#include "tests/command.h"

namespace latent {
namespace {

TEST(StrokesTest, TheSameBytesOnEveryMachine) {
  const Strokes strokes = make_strokes(1000, 0);
  ASSERT_EQ(strokes.images.type, (Type{DType::u8, {1000, 28, 28, 1}}));
  Sha256 hash;
  hash.update(strokes.images.bytes);
  hash.update(std::as_bytes(std::span(strokes.labels)));
  EXPECT_EQ(hash.hex(), "21bfb34db6b02064de15532fe80b441a95915d0598b1df6e4d0bf16b891973f0");
}

TEST(StrokesTest, FewerRowsAreTheFirstOfMore) {
  const Strokes few = make_strokes(7, 3), many = make_strokes(50, 3), other = make_strokes(7, 4);
  EXPECT_TRUE(
      std::equal(few.images.bytes.begin(), few.images.bytes.end(), many.images.bytes.begin()));
  EXPECT_TRUE(std::equal(few.labels.begin(), few.labels.end(), many.labels.begin()));
  EXPECT_NE(few.images.bytes, other.images.bytes);
}

TEST(StrokesTest, EveryDigitIsAsLikelyAndHasInkInside) {
  const Strokes strokes = make_strokes(5000, 0);
  std::array<int, 10> counts{};
  for (uint8_t digit : strokes.labels) ++counts.at(digit);
  for (int count : counts) EXPECT_NEAR(count, 500, 80);
  const auto pixels = strokes.images.as<uint8_t>();
  for (size_t i = 0; i < 5000; ++i) {
    const auto image = pixels.subspan(i * 784, 784);
    EXPECT_GT(std::ranges::count_if(image, [](uint8_t p) { return p > 128; }), 20) << "row " << i;
  }
}

#if !defined(__SANITIZE_ADDRESS__)
int64_t squared_distance(const uint8_t* a, const uint8_t* b) {
  int32_t sum = 0;
  for (int j = 0; j < 784; ++j) {
    const int32_t d = static_cast<int32_t>(a[j]) - static_cast<int32_t>(b[j]);
    sum += d * d;
  }
  return sum;
}

/// The digit that most of the three nearest have; of three different ones the nearest's.
int vote(const Strokes& train, const uint8_t* image) {
  const auto pixels = train.images.as<uint8_t>();
  std::array<std::pair<int64_t, size_t>, 3> nearest;
  nearest.fill({INT64_MAX, 0});
  for (size_t i = 0; i < train.labels.size(); ++i) {
    const std::pair candidate(squared_distance(image, pixels.data() + i * 784), i);
    if (candidate >= nearest[2]) continue;
    nearest[2] = candidate;
    std::ranges::sort(nearest);
  }
  const auto digit = [&](size_t k) { return train.labels[nearest[k].second]; };
  return digit(1) == digit(2) ? digit(1) : digit(0);
}

TEST(StrokesTest, ThreeNearestNeighboursAreRightMostly) {
  const Strokes all = make_strokes(12000, 0);
  Strokes train{HostTensor(Type{DType::u8, {10000, 28, 28, 1}}),
                {all.labels.begin(), all.labels.begin() + 10000}};
  std::copy_n(all.images.bytes.begin(), train.images.bytes.size(), train.images.bytes.begin());
  int right = 0;
#pragma omp parallel for schedule(dynamic) reduction(+ : right)
  for (size_t i = 10000; i < 12000; ++i)
    right += vote(train, all.images.as<uint8_t>().data() + i * 784) == all.labels[i];
  EXPECT_GE(right / 2000.0, 0.93);
  EXPECT_LE(right / 2000.0, 0.99);
}

class StrokesTraining : public CommandTest {
 protected:
  /// Test metrics of one of the article's files, trained as it says but on strokes.
  nlohmann::json trained(const std::string& name) {
    const auto article = std::filesystem::absolute(LATENT_SOURCE_DIR) / "experiments/article";
    run((article / (name + ".yaml")).string(),
        {"--device", "cpu", "--set", "figures=[]", "--set", "train.validate=50 epochs", "--set",
         "data={source: strokes, count: 12000, test: 2000, validation: none}"});
    for (const auto& folder : std::filesystem::directory_iterator(at("runs") / name))
      return nlohmann::json::parse(
          bytes_of(folder.path() / "seed-0/summary.json"))["metrics"]["test"];
    return {};
  }
};

TEST_F(StrokesTraining, DeepIsBetterThanSimpleAndSimpleThanPca) {
  const nlohmann::json simple = trained("simple"), deep = trained("deep");
  EXPECT_LT(deep["sse"], 0.9 * simple["sse"].get<double>());
  EXPECT_LT(simple["sse"], 0.9 * simple["pca"]["sse"].get<double>());
  EXPECT_EQ(deep["pca"]["sse"], simple["pca"]["sse"]);
}
#endif

}  // namespace
}  // namespace latent
