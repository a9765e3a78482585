// Corruption as rows are gathered: what is drawn, in which order, and what each element counts.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/random/order.h"
#include "kernels/data/corrupt.h"
#include "tests/run_op.h"

namespace latent {
namespace {

using Kind = Corruption::Kind;

constexpr int64_t kRows = 40;

Gather in_order(int64_t batch = kRows) {
  return {.batch = batch, .rows = kRows, .rows_per_block = 15, .shuffle = false};
}

/// [kRows, cols], not 0: the number of the element, from 1 on, by 1000.
std::vector<float> numbers(int64_t cols) {
  std::vector<float> v(static_cast<size_t>(kRows * cols));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i + 1) / 1000;
  return v;
}

struct Batch {
  std::vector<float> input;
  std::vector<std::vector<float>> others;  ///< clean, weights: those that are there
};

Batch gather(const CorruptedGather& op, const std::vector<float>& values, uint64_t step = 0,
             uint64_t seed = 3, const std::string& device = "cpu") {
  const int64_t cols = static_cast<int64_t>(values.size()) / op.gather.rows;
  std::vector<HostTensor> in{one(seed), one(step), one(0.0f), one(1.0f)};
  for (int64_t first = 0; first < op.gather.rows; first += op.gather.rows_per_block) {
    const int64_t n = std::min(op.gather.rows_per_block, op.gather.rows - first);
    in.push_back(host_tensor<float>(
        {n, cols},
        std::vector<float>(values.begin() + first * cols, values.begin() + (first + n) * cols)));
  }
  const std::vector<HostTensor> out = run_op(op, in, *open_device(device));
  const auto vector = [](const HostTensor& t) {
    return std::vector<float>(t.as<float>().begin(), t.as<float>().end());
  };
  Batch batch{vector(out[0]), {}};
  for (size_t k = 1; k < out.size(); ++k) batch.others.push_back(vector(out[k]));
  return batch;
}

/// One element after a corruption, from the numbers of its stream.
float corrupted(const Corruption& c, float x, uint64_t seed, uint64_t step, uint64_t element) {
  const float u = uniform(seed, step, c.stream, element);
  switch (c.kind) {
    case Kind::masking:
      return u < c.amount ? 0 : x;
    case Kind::dropout:
      return u < c.amount ? 0 : x * (1 / (1 - c.amount));
    case Kind::salt_and_pepper:
      return u < c.amount / 2 ? c.lo : u < c.amount ? c.hi : x;
    default:
      return std::clamp(x + c.amount * normal(seed, step, c.stream, element), c.lo, c.hi);
  }
}

const Corruption kMasking{.amount = 0.25f};
const Corruption kGaussian{.kind = Kind::gaussian, .amount = 0.5f};
const Corruption kClipped{.kind = Kind::gaussian, .amount = 0.5f, .lo = 0, .hi = 1};
const Corruption kSalt{.kind = Kind::salt_and_pepper, .amount = 0.375f, .lo = -1, .hi = 2};
const Corruption kDropout{.kind = Kind::dropout, .amount = 0.5f};

TEST(CorruptedGather, DrawsAreThoseOfTheirStream) {
  for (const int64_t cols : {1, 3, 4, 6, 37, 128}) {
    const std::vector<float> values = numbers(cols);
    const uint64_t padded = static_cast<uint64_t>((cols + 3) / 4 * 4);
    for (const Corruption& c : {kMasking, kGaussian, kClipped, kSalt, kDropout}) {
      const Batch batch = gather({.gather = in_order(), .corruptions = {c}, .clean = true}, values,
                                 uint64_t{1} << 33);
      // Step 2^33 of 40 rows: position 0 of an epoch, and a step of more than 32 bits.
      ASSERT_EQ((uint64_t{1} << 33) * 40 % 40, 0u);
      EXPECT_EQ(batch.others[0], values);
      for (uint64_t i = 0; i < values.size(); ++i) {
        const uint64_t element = i / cols * padded + i % cols;
        ASSERT_EQ(batch.input[i], corrupted(c, values[i], 3, uint64_t{1} << 33, element))
            << cols << " columns, element " << i;
      }
    }
  }
}

TEST(CorruptedGather, RatesAreThoseAskedFor) {
  const int64_t cols = 5000;
  const double n = kRows * cols;
  const std::vector<float> values(static_cast<size_t>(n), 0.5f);
  const auto share = [&](const Corruption& c, float value) {
    const Batch batch = gather({.gather = in_order(), .corruptions = {c}}, values);
    return static_cast<double>(std::ranges::count(batch.input, value)) / n;
  };
  const auto deviation = [&](double p) { return 4 * std::sqrt(p * (1 - p) / n); };
  EXPECT_NEAR(share(kMasking, 0), 0.25, deviation(0.25));
  EXPECT_EQ(share(kMasking, 0) + share(kMasking, 0.5f), 1);
  EXPECT_NEAR(share(kDropout, 0), 0.5, deviation(0.5));
  EXPECT_EQ(share(kDropout, 0) + share(kDropout, 1), 1);
  EXPECT_NEAR(share(kSalt, -1), 0.1875, deviation(0.1875));
  EXPECT_NEAR(share(kSalt, 2), 0.1875, deviation(0.1875));
  const std::vector<float> noisy =
      gather({.gather = in_order(), .corruptions = {kGaussian}}, values).input;
  double sum = 0, squares = 0;
  for (const float v : noisy) sum += v - 0.5, squares += (v - 0.5) * (v - 0.5);
  EXPECT_NEAR(sum / n, 0, 4 * 0.5 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 0.25, 4 * 0.25 * std::sqrt(2 / n));
  const std::vector<float> clipped =
      gather({.gather = in_order(), .corruptions = {kClipped}}, values).input;
  EXPECT_EQ(std::ranges::min(clipped), 0);
  EXPECT_EQ(std::ranges::max(clipped), 1);
}

TEST(CorruptedGather, IsFreshAtEachPresentation) {
  const std::vector<float> values = numbers(50);
  for (const Corruption& c : {kMasking, kGaussian, kSalt, kDropout}) {
    const CorruptedGather op{.gather = in_order(), .corruptions = {c}};
    EXPECT_EQ(gather(op, values, 5).input, gather(op, values, 5).input);
    EXPECT_NE(gather(op, values, 5).input, gather(op, values, 6).input);
    EXPECT_NE(gather(op, values, 5).input, gather(op, values, 5, 4).input) << "another seed";
    CorruptedGather other = op;
    other.corruptions[0].stream = stream_of("other");
    EXPECT_NE(gather(op, values, 5).input, gather(other, values, 5).input);
  }
}

TEST(CorruptedGather, FixedDrawsBelongToTheExample) {
  const std::vector<float> values = numbers(50);
  for (const Corruption& c : {kMasking, kGaussian, kSalt, kDropout}) {
    CorruptedGather op{.gather = in_order(), .corruptions = {c}, .fixed = true};
    op.corruptions[0].schedule = {.kind = Schedule::Kind::linear, .span = 100};
    op.gather.sequential = true;
    const std::vector<float> whole = gather(op, values).input;
    EXPECT_NE(whole, values) << "schedules count as 1";
    op.gather.batch = 10;
    for (uint64_t step = 0; step < 4; ++step) {
      const std::vector<float> part = gather(op, values, step).input;
      EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 500 * step)) << step;
    }
    op.gather.sequential = false;
    op.gather.shuffle = true;
    const EpochOrder order(3, 0, kRows);
    const std::vector<float> shuffled = gather(op, values).input;
    for (uint64_t i = 0; i < 10; ++i)
      EXPECT_TRUE(std::equal(shuffled.begin() + 50 * i, shuffled.begin() + 50 * (i + 1),
                             whole.begin() + 50 * static_cast<int64_t>(order(i))));
  }
}

TEST(CorruptedGather, AListActsInItsOrder) {
  const std::vector<float> values = numbers(6);
  Corruption first = kSalt, second = kGaussian;
  second.stream = stream_of("corruption.1");
  const auto both = [&](const Corruption& a, const Corruption& b) {
    return gather({.gather = in_order(), .corruptions = {a, b}}, values, 2).input;
  };
  const std::vector<float> forwards = both(first, second), backwards = both(second, first);
  for (uint64_t i = 0; i < values.size(); ++i) {
    const uint64_t element = i / 6 * 8 + i % 6;
    EXPECT_EQ(forwards[i],
              corrupted(second, corrupted(first, values[i], 3, 2, element), 3, 2, element));
    EXPECT_EQ(backwards[i],
              corrupted(first, corrupted(second, values[i], 3, 2, element), 3, 2, element));
  }
  EXPECT_NE(forwards, backwards);
}

TEST(CorruptedGather, SchedulesScaleTheRateAndCutItAtOne) {
  const std::vector<float> values(kRows * 1000, 1.0f);
  const auto masked = [&](float factor) {
    Corruption c = kMasking;
    c.schedule = {.kind = Schedule::Kind::linear, .span = 10, .from = 0, .to = factor};
    const CorruptedGather op{.gather = in_order(), .corruptions = {c}};
    std::vector<double> shares;
    for (const uint64_t step : {0, 5, 10})
      shares.push_back(
          static_cast<double>(std::ranges::count(gather(op, values, step).input, 0.0f)) /
          static_cast<double>(values.size()));
    return shares;
  };
  EXPECT_EQ(masked(2)[0], 0);
  EXPECT_NEAR(masked(2)[1], 0.25, 0.01);
  EXPECT_NEAR(masked(2)[2], 0.5, 0.01);
  EXPECT_EQ(masked(8)[2], 1);
  Corruption c = kDropout;
  c.schedule = {.kind = Schedule::Kind::linear, .span = 10, .from = 1, .to = 4};
  for (const float v : gather({.gather = in_order(), .corruptions = {c}}, values, 10).input)
    ASSERT_EQ(v, 0) << "a rate of 1 leaves nothing, and no infinity";
}

TEST(CorruptedGather, WeightsSayWhereItStruck) {
  const std::vector<float> values = numbers(7);
  Corruption masking = kMasking, dropout = kDropout;
  masking.struck = 3, masking.spared = 0.5f;
  dropout.struck = 0.25f, dropout.spared = 2;
  dropout.stream = stream_of("corruption.1");
  const auto weights = [&](std::vector<Corruption> list) {
    return gather({.gather = in_order(), .corruptions = std::move(list), .weights = true}, values)
        .others.at(0);
  };
  const std::vector<float> masked = gather({.gather = in_order(), .corruptions = {masking}}, values)
                                        .input,
                           one_weight = weights({masking}), both = weights({masking, dropout});
  for (uint64_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(one_weight[i], masked[i] == 0 ? 3 : 0.5f);
    const bool dropped = uniform(3, 0, dropout.stream, i / 7 * 8 + i % 7) < 0.5f;
    EXPECT_EQ(both[i], one_weight[i] * (dropped ? 0.25f : 2));
  }
  Corruption noise = kGaussian;
  noise.struck = 3;
  for (const float w : weights({noise})) EXPECT_EQ(w, 3) << "noise strikes everywhere";
}

TEST(CorruptedGather, MissingCellsAreZeroAndCountNothing) {
  std::vector<float> values = numbers(6), filled = values;
  for (size_t i = 0; i < values.size(); i += 5) values[i] = NAN, filled[i] = 0;
  const CorruptedGather plain{
      .gather = in_order(), .corruptions = {}, .missing = true, .weights = true};
  const Batch batch = gather(plain, values);
  EXPECT_EQ(batch.input, filled);
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(batch.others[0][i], i % 5 ? 1 : 0);
  for (const Corruption& c : {kMasking, kGaussian, kSalt, kDropout}) {
    CorruptedGather noisy = plain;
    noisy.corruptions = {c};
    noisy.clean = true;
    const Batch got = gather(noisy, values);
    EXPECT_EQ(got.others[0], filled);
    EXPECT_EQ(got.others[1], batch.others[0]);
    for (size_t i = 0; i < values.size(); i += 5)
      EXPECT_EQ(got.input[i], 0) << "no noise where nothing is known";
  }
  CorruptedGather drawn = plain;
  drawn.gather.binarize = Gather::Binarize::dynamic;
  EXPECT_EQ(gather(drawn, values).others[0], batch.others[0]) << "binarized, and still missing";
}

TEST(CorruptedGather, IsThatOfTheCpuToTheBit) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU, or a build without a GPU backend";
  std::string gpu = "auto";
  try {
    gpu = open_device("simt")->name();
  } catch (const UserError&) {
  }
  for (const int64_t cols : {1, 30, 64}) {
    std::vector<float> values = numbers(cols);
    for (size_t i = 0; i < values.size(); i += 7) values[i] = NAN;
    CorruptedGather op{.gather = in_order(9),
                       .corruptions = {kMasking, kClipped, kSalt, kDropout},
                       .missing = true,
                       .clean = true,
                       .weights = true};
    op.gather.shuffle = true;
    for (size_t k = 0; k < 4; ++k) {
      op.corruptions[k].stream += k;
      op.corruptions[k].struck = 2;
      op.corruptions[k].schedule = {.kind = Schedule::Kind::cosine, .span = 20};
    }
    for (const bool fixed : {false, true}) {
      op.fixed = fixed;
      const Batch cpu = gather(op, values, 6), other = gather(op, values, 6, 3, gpu);
      EXPECT_EQ(cpu.input, other.input);
      EXPECT_EQ(cpu.others, other.others);
    }
  }
}

TEST(CorruptedGather, WithoutCorruptionsIsTheGather) {
  const std::vector<float> values = numbers(9);
  EXPECT_EQ(gather({.gather = in_order(), .corruptions = {}}, values).input, values);
  Corruption none = kMasking;
  none.amount = 0;
  EXPECT_EQ(gather({.gather = in_order(), .corruptions = {none}}, values).input, values);
}

TEST(CorruptedGather, Errors) {
  const auto infer = [](const Corruption& c, size_t times = 1) {
    const Type counter{DType::u64, {1}}, scalar{DType::f32, {1}};
    return CorruptedGather{.gather = {.batch = 2, .rows = 3, .rows_per_block = 3},
                           .corruptions = std::vector<Corruption>(times, c),
                           .clean = true,
                           .weights = true}
        .infer(std::vector<Type>{counter, counter, scalar, scalar, {DType::u8, {3, 4}}});
  };
  EXPECT_EQ(infer(kMasking), std::vector<Type>(3, Type{DType::f32, {2, 4}}));
  EXPECT_NO_THROW(infer(kMasking, 4));
  EXPECT_THROW(infer(kMasking, 5), GraphError);
  Corruption bad = kMasking;
  bad.amount = 1.5f;
  EXPECT_THROW(infer(bad), GraphError);
  bad = kClipped;
  bad.lo = 2;
  EXPECT_THROW(infer(bad), GraphError);
}

}  // namespace
}  // namespace latent
