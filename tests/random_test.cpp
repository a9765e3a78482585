// Philox against its published vectors, the distributions drawn from it, the same bits on every
// device, and the order of epochs.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "core/random/order.h"
#include "core/random/philox.h"
#include "kernels/random/draw.h"
#include "tests/run_op.h"

namespace latent {
namespace {

using Four = std::array<uint32_t, 4>;

Four philox(Four counter, uint32_t key0, uint32_t key1) {
  const Words4 w = philox4x32({{counter[0], counter[1], counter[2], counter[3]}}, key0, key1);
  return {w.v[0], w.v[1], w.v[2], w.v[3]};
}

TEST(Philox, KnownAnswers) {  // of Random123's kat_vectors
  constexpr uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox({0, 0, 0, 0}, 0, 0), (Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({ones, ones, ones, ones}, ones, ones),
            (Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0),
            (Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, StreamsAreHashesOfNames) {  // published vectors of FNV-1a, 64 bits
  static_assert(stream_of("") == 0xcbf29ce484222325u);
  static_assert(stream_of("a") == 0xaf63dc4c8601ec8cu);
  static_assert(stream_of("foobar") == 0x85944171f73967e8u);
}

TEST(Philox, OneElementEqualsFour) {
  for (uint64_t block : {uint64_t{0}, uint64_t{5}, uint64_t{1} << 31, uint64_t{1} << 40}) {
    const Float4 u = uniform4(3, 9, 77, block), z = normal4(3, 9, 77, block),
                 b = bernoulli4(3, 9, 77, block, 0.3f);
    for (uint64_t k = 0; k < 4; ++k) {
      EXPECT_EQ(uniform(3, 9, 77, 4 * block + k), u.v[k]);
      EXPECT_EQ(normal(3, 9, 77, 4 * block + k), z.v[k]);
      EXPECT_EQ(bernoulli(3, 9, 77, 4 * block + k, 0.3f), b.v[k] != 0);
      EXPECT_EQ(b.v[k] != 0, u.v[k] < std::round(0.3f * 0x1p24f) * 0x1p-24f);
    }
  }
}

TEST(Philox, EveryPartOfTheCounterMatters) {
  std::set<uint32_t> words;
  for (uint64_t bit = 0; bit < 64; ++bit) {
    const uint64_t one = uint64_t{1} << bit;
    for (const auto& [seed, step, stream, block] :
         {std::array{one, one * 0, one * 0, one * 0}, std::array{one * 0, one, one * 0, one * 0},
          std::array{one * 0, one * 0, one, one * 0}})
      words.insert(random_words4(seed, step, stream, block).v[0]);
    if (bit < 62) words.insert(random_words4(0, 0, 0, one).v[0]);
  }
  // Steps from 2^32 on and blocks from 2^32 on share the stream's words: one bit of each meets one.
  EXPECT_GE(words.size(), 64u * 2 + 32 + 32);
  EXPECT_NE(random_words4(1, 2, 3, 4).v[0], random_words4(1, 2, 4, 4).v[0]);
}

struct Moments {
  double mean = 0, variance = 0, skew = 0, kurtosis = 0;
};

Moments moments(std::span<const float> x) {
  Moments m;
  const double n = static_cast<double>(x.size());
  for (const float v : x) m.mean += v / n;
  for (const float v : x) {
    const double d = v - m.mean;
    m.variance += d * d / n;
    m.skew += d * d * d / n;
    m.kurtosis += d * d * d * d / n;
  }
  return m;
}

constexpr int64_t kDraws = 1 << 20;

HostTensor draw(Draw::Kind kind, Device& device, float p = 0.5f, int64_t n = kDraws) {
  const Draw op{.kind = kind, .stream = stream_of("test"), .shape = {n}, .p = p};
  return run_op(op, {one<uint64_t>(7), one<uint64_t>(1000)}, device)[0];
}

/// The greatest distance between the sample's distribution and `cdf` (Kolmogorov and Smirnov).
template <class Cdf>
double distance(std::vector<float> x, Cdf cdf) {
  std::sort(x.begin(), x.end());
  double most = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double at = static_cast<double>(i) / static_cast<double>(x.size());
    most = std::max(most, std::abs(cdf(x[i]) - at));
  }
  return most;
}

TEST(Draws, Uniform) {
  const HostTensor t = draw(Draw::Kind::uniform, *open_device("cpu"));
  const auto x = t.as<float>();
  EXPECT_GE(*std::min_element(x.begin(), x.end()), 0.0f);
  EXPECT_LT(*std::max_element(x.begin(), x.end()), 1.0f);
  const Moments m = moments(x);
  EXPECT_NEAR(m.mean, 0.5, 5 * std::sqrt(1 / 12.0 / kDraws));
  EXPECT_NEAR(m.variance, 1 / 12.0, 4e-4);
  const double bound =
      1.95 / std::sqrt(static_cast<double>(kDraws));  // exceeded once in a thousand
  EXPECT_LT(distance({x.begin(), x.end()}, [](double v) { return v; }), bound);
  double serial = 0;
  for (int64_t i = 0; i + 1 < kDraws; ++i) serial += (x[i] - 0.5) * (x[i + 1] - 0.5) / kDraws;
  EXPECT_NEAR(serial * 12, 0, 5e-3);
}

TEST(Draws, Normal) {
  const HostTensor t = draw(Draw::Kind::normal, *open_device("cpu"));
  const auto x = t.as<float>();
  const Moments m = moments(x);
  EXPECT_NEAR(m.mean, 0, 5e-3);
  EXPECT_NEAR(m.variance, 1, 7e-3);
  EXPECT_NEAR(m.skew, 0, 1.2e-2);
  EXPECT_NEAR(m.kurtosis, 3, 2.5e-2);
  const auto cdf = [](double v) { return 0.5 * std::erfc(-v / std::sqrt(2.0)); };
  EXPECT_LT(distance({x.begin(), x.end()}, cdf), 1.95 / std::sqrt(static_cast<double>(kDraws)));
  double pairs = 0;
  for (int64_t i = 0; i + 1 < kDraws; i += 2) pairs += x[i] * x[i + 1] / (kDraws / 2);
  EXPECT_NEAR(pairs, 0, 7e-3);
}

TEST(Draws, Bernoulli) {
  const auto device = open_device("cpu");
  for (const float p : {0.0f, 0.01f, 0.3f, 0.5f, 1.0f}) {
    const HostTensor t = draw(Draw::Kind::bernoulli, *device, p);
    double mean = 0;
    for (const float v : t.as<float>()) {
      ASSERT_TRUE(v == 0 || v == 1);
      mean += v / kDraws;
    }
    EXPECT_NEAR(mean, p, 5 * std::sqrt(p * (1 - p) / kDraws));
  }
}

TEST(Draws, OpEqualsFunctionsAtEveryLength) {
  const auto device = open_device("cpu");
  for (const int64_t n : {1, 2, 3, 4, 5, 1023}) {
    const HostTensor u = draw(Draw::Kind::uniform, *device, 0, n),
                     z = draw(Draw::Kind::normal, *device, 0, n);
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_EQ(u.as<float>()[i], uniform(7, 1000, stream_of("test"), i));
      EXPECT_EQ(z.as<float>()[i], normal(7, 1000, stream_of("test"), i));
    }
  }
}

uint64_t hash_of(const HostTensor& t) {
  return stream_of({reinterpret_cast<const char*>(t.bytes.data()), t.bytes.size()});
}

// The bits themselves: the same on every machine, compiler and device, for ever.
TEST(Draws, Bits) {
  const auto device = open_device("cpu");
  EXPECT_EQ(hash_of(draw(Draw::Kind::uniform, *device)), 860187677201093585u);
  EXPECT_EQ(hash_of(draw(Draw::Kind::normal, *device)), 11894964356385245036u);
  EXPECT_EQ(hash_of(draw(Draw::Kind::bernoulli, *device, 0.3f)), 17607891674773540376u);
}

TEST(Draws, SameBitsOnCpuAndGpu) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU backend in this build, or no GPU";
  const auto cpu = open_device("cpu"), gpu = open_device("auto");
  for (const auto kind : {Draw::Kind::uniform, Draw::Kind::normal, Draw::Kind::bernoulli})
    EXPECT_EQ(draw(kind, *cpu), draw(kind, *gpu));
}

std::vector<uint64_t> order(uint64_t seed, uint64_t epoch, uint64_t n) {
  const EpochOrder at(seed, epoch, n);
  std::vector<uint64_t> rows(n);
  for (uint64_t i = 0; i < n; ++i) rows[i] = at(i);
  return rows;
}

TEST(Order, IsAPermutation) {
  for (const uint64_t n : {1, 2, 3, 255, 256, 257, 999, 60000, (1 << 20) + 7})
    for (const uint64_t epoch : {0, 1}) {
      std::vector<bool> seen(n);
      for (const uint64_t r : order(5, epoch, n)) {
        ASSERT_LT(r, n);
        ASSERT_FALSE(seen[r]) << "n " << n << ": row " << r << " twice";
        seen[r] = true;
      }
    }
  const EpochOrder huge(5, 0, uint64_t{1} << 40);
  EXPECT_LT(huge((uint64_t{1} << 40) - 1), uint64_t{1} << 40);
}

TEST(Order, AllOrdersAreEquallyOften) {
  for (const auto& [n, orders] : {std::pair{2, 2}, {3, 6}, {4, 24}, {5, 120}}) {
    std::map<std::vector<uint64_t>, int> count;
    const int epochs = 20000;
    for (int epoch = 0; epoch < epochs; ++epoch) ++count[order(1, epoch, n)];
    EXPECT_EQ(static_cast<int>(count.size()), orders);
    double chi2 = 0;
    const double expected = static_cast<double>(epochs) / orders;
    for (const auto& [rows, times] : count)
      chi2 += (times - expected) * (times - expected) / expected;
    EXPECT_LT(chi2, orders - 1 + 4 * std::sqrt(2.0 * orders)) << "n " << n;
  }
}

TEST(Order, NeighboursAndEpochsAreUnrelated) {
  const uint64_t n = 60000;
  const auto a = order(1, 0, n), b = order(1, 1, n), c = order(2, 0, n);
  EXPECT_NE(a, b);
  EXPECT_NE(a, c);
  const auto correlation = [n](auto&& x, auto&& y) {
    double sum = 0;
    const double mean = (static_cast<double>(n) - 1) / 2,
                 variance = static_cast<double>(n * n - 1) / 12;
    for (uint64_t i = 0; i < n; ++i)
      sum += (static_cast<double>(x(i)) - mean) * (static_cast<double>(y(i)) - mean);
    return sum / variance / static_cast<double>(n);
  };
  const auto at_a = [&](uint64_t i) { return a[i]; };
  const double bound = 4 / std::sqrt(static_cast<double>(n));
  EXPECT_NEAR(correlation(at_a, [](uint64_t i) { return i; }), 0, bound);
  EXPECT_NEAR(correlation(at_a, [&](uint64_t i) { return a[(i + 1) % n]; }), 0, bound);
  EXPECT_NEAR(correlation(at_a, [&](uint64_t i) { return b[i]; }), 0, bound);
}

}  // namespace
}  // namespace latent
