// Batches: which rows come when, what becomes of their values, and how evaluation counts them.
#include "kernels/data/gather.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/random/order.h"
#include "tests/run_op.h"

namespace latent {
namespace {

/// Blocks of `op.rows` rows of `cols` columns; the value of row r, column c is r + c / 100.
std::vector<HostTensor> blocks(const Gather& op, int64_t cols) {
  std::vector<HostTensor> result;
  for (int64_t first = 0; first < op.rows; first += op.rows_per_block) {
    const int64_t count = std::min(op.rows_per_block, op.rows - first);
    HostTensor& t = result.emplace_back(Type{DType::f32, {count, cols}});
    for (int64_t i = 0; i < count * cols; ++i)
      t.as<float>()[i] = static_cast<float>(first + i / cols) + static_cast<float>(i % cols) / 100;
  }
  return result;
}

HostTensor gather(const Gather& op, std::vector<HostTensor> data, uint64_t step, HostTensor shift,
                  HostTensor scale, uint64_t seed = 3) {
  std::vector<HostTensor> in{one(seed), one(step), std::move(shift), std::move(scale)};
  for (HostTensor& t : data) in.push_back(std::move(t));
  return run_op(op, in)[0];
}

/// The rows of the batch, from their first column.
std::vector<int64_t> rows(const Gather& op, uint64_t step, uint64_t seed = 3) {
  const HostTensor x = gather(op, blocks(op, 1), step, one(0.0f), one(1.0f), seed);
  std::vector<int64_t> result;
  for (const float v : x.as<float>()) result.push_back(std::lround(v));
  return result;
}

TEST(Gather, EveryRowOnceAnEpochThoughBatchesSpanEpochs) {
  const Gather op{.batch = 5, .rows = 17, .rows_per_block = 7};
  std::vector<int64_t> stream;
  for (uint64_t step = 0; step < 17; ++step)
    for (const int64_t r : rows(op, step)) stream.push_back(r);
  ASSERT_EQ(stream.size(), 85u);
  for (int epoch = 0; epoch < 5; ++epoch) {
    const EpochOrder order(3, epoch, 17);
    for (int i = 0; i < 17; ++i) EXPECT_EQ(stream[17 * epoch + i], static_cast<int64_t>(order(i)));
  }
}

TEST(Gather, DropLeavesTheTailOfEachEpochOut) {
  const Gather op{.batch = 5, .rows = 17, .rows_per_block = 17, .tail = Gather::Tail::drop};
  for (uint64_t step = 0; step < 9; ++step) {
    const EpochOrder order(3, step / 3, 17);
    const std::vector<int64_t> got = rows(op, step);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(got[i], static_cast<int64_t>(order(step % 3 * 5 + i)));
  }
}

TEST(Gather, WithoutShuffle) {
  Gather op{.batch = 4, .rows = 6, .rows_per_block = 6, .shuffle = false};
  EXPECT_EQ(rows(op, 0), (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(rows(op, 1), (std::vector<int64_t>{4, 5, 0, 1}));
  op.tail = Gather::Tail::drop;
  EXPECT_EQ(rows(op, 1), (std::vector<int64_t>{0, 1, 2, 3}));
}

TEST(Gather, ABatchMayBeLargerThanTheData) {
  const Gather op{.batch = 7, .rows = 3, .rows_per_block = 3, .shuffle = false};
  EXPECT_EQ(rows(op, 1), (std::vector<int64_t>{1, 2, 0, 1, 2, 0, 1}));
}

TEST(Gather, EvaluationGoesThroughInOrderAndPads) {
  const Gather op{.batch = 4, .rows = 10, .rows_per_block = 3, .sequential = true};
  EXPECT_EQ(rows(op, 0), (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(rows(op, 2), (std::vector<int64_t>{8, 9, 9, 9}));
  const auto weights = [](uint64_t step) {
    const HostTensor w = run_op(RowWeights{.batch = 4, .rows = 10}, {one(step)})[0];
    return std::vector<float>(w.as<float>().begin(), w.as<float>().end());
  };
  EXPECT_EQ(weights(0), (std::vector<float>{1, 1, 1, 1}));
  EXPECT_EQ(weights(2), (std::vector<float>{1, 1, 0, 0}));
  EXPECT_EQ(weights(3), (std::vector<float>{0, 0, 0, 0}));
}

TEST(Gather, IdsAreItsRows) {
  using Tail = Gather::Tail;
  for (const bool shuffle : {true, false})
    for (const Tail tail : {Tail::wrap, Tail::drop})
      for (const bool sequential : {false, true}) {
        const Gather op{.batch = 5,
                        .rows = 17,
                        .rows_per_block = 7,
                        .shuffle = shuffle,
                        .tail = tail,
                        .sequential = sequential};
        for (uint64_t step = 0; step < 9; ++step) {
          const HostTensor ids = run_op(GatherIds{op}, {one(uint64_t{3}), one(step)})[0];
          const std::vector<int64_t> got(ids.as<int32_t>().begin(), ids.as<int32_t>().end());
          EXPECT_EQ(got, rows(op, step)) << step;
        }
      }
  const auto infer = [](const Gather& op, std::vector<Type> in) { GatherIds{op}.infer(in); };
  const Type counter{DType::u64, {1}};
  EXPECT_THROW(infer({.batch = 2, .rows = 5}, {counter}), GraphError);
  EXPECT_THROW(infer({.batch = 2, .rows = int64_t{1} << 31}, {counter, counter}), GraphError);
}

TEST(Gather, LateStepsAreStepsToo) {
  const Gather op{.batch = 256, .rows = 60000, .rows_per_block = 60000};
  const uint64_t step = uint64_t{1} << 36;
  const uint64_t p = step * 256 + 7;
  EXPECT_EQ(rows(op, step)[7], static_cast<int64_t>(EpochOrder(3, p / 60000, 60000)(p % 60000)));
}

TEST(Gather, ScalesByOneValueOrByColumns) {
  const Gather op{.batch = 3, .rows = 5, .rows_per_block = 2, .shuffle = false};
  for (const int64_t cols : {1, 3, 4, 8, 37}) {
    HostTensor shift(Type{DType::f32, {cols}}), scale(shift.type);
    for (int64_t c = 0; c < cols; ++c) {
      shift.as<float>()[c] = static_cast<float>(c);
      scale.as<float>()[c] = 1 + static_cast<float>(c);
    }
    for (const bool shifts : {false, true})
      for (const bool scales : {false, true}) {
        const HostTensor x =
            gather(op, blocks(op, cols), 1, shifts ? shift : one(0.5f), scales ? scale : one(2.0f));
        EXPECT_EQ(x.type, (Type{DType::f32, {3, cols}}));
        for (int64_t i = 0; i < 3; ++i)
          for (int64_t c = 0; c < cols; ++c) {
            const float r = static_cast<float>((3 + i) % 5) + static_cast<float>(c) / 100;
            const float by = shifts ? static_cast<float>(c) : 0.5f;
            const float times = scales ? 1 + static_cast<float>(c) : 2.0f;
            EXPECT_EQ(x.as<float>()[i * cols + c], (r - by) * times);
          }
      }
  }
}

TEST(Gather, ReadsEveryStoredType) {
  const Gather op{.batch = 1, .rows = 1, .rows_per_block = 1, .sequential = true};
  const auto x = [&](DType stored, const std::vector<uint16_t>& bits) {
    HostTensor t(Type{stored, {1, static_cast<int64_t>(bits.size())}});
    std::memcpy(t.bytes.data(), bits.data(), t.bytes.size());
    const HostTensor y = gather(op, {t}, 0, one(0.0f), one(1.0f));
    return std::vector<float>(y.as<float>().begin(), y.as<float>().end());
  };
  EXPECT_EQ(x(DType::bf16, {0x3f80, 0xc000, 0x0000}), (std::vector<float>{1, -2, 0}));
  const float inf = INFINITY;
  EXPECT_EQ(x(DType::f16, {0x3c00, 0xc000, 0x0001, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00, 0x8000}),
            (std::vector<float>{1, -2, 0x1p-24f, 0x3ffp-24f, 0x1p-14f, 65504, inf, -inf, -0.0f}));
  EXPECT_TRUE(std::isnan(x(DType::f16, {0x7e00})[0]));
  HostTensor bytes(Type{DType::u8, {1, 3}});
  bytes.as<uint8_t>()[1] = 128;
  bytes.as<uint8_t>()[2] = 255;
  const HostTensor y = gather(op, {bytes}, 0, one(0.0f), one(1.0f));
  EXPECT_EQ(y.as<float>()[1], 128);
  EXPECT_EQ(y.as<float>()[2], 255);
}

TEST(Gather, KeepsTheShapeOfARow) {
  const Gather op{.batch = 2, .rows = 3, .rows_per_block = 3};
  const HostTensor data(Type{DType::u8, {3, 28, 28, 1}});
  EXPECT_EQ(gather(op, {data}, 0, one(0.0f), one(1.0f)).type.shape, (Shape{2, 28, 28, 1}));
}

TEST(Gather, Binarizes) {
  const int64_t cols = 130;
  Gather op{.batch = 40, .rows = 40, .rows_per_block = 40, .shuffle = false};
  HostTensor data(Type{DType::f32, {40, cols}});
  for (int64_t i = 0; i < 40 * cols; ++i) data.as<float>()[i] = static_cast<float>(i % cols) / 129;
  const auto at = [&](Gather::Binarize how, uint64_t step, uint64_t seed = 3) {
    op.binarize = how;
    return gather(op, {data}, step, one(0.0f), one(1.0f), seed);
  };
  const HostTensor threshold = at(Gather::Binarize::threshold, 0);
  for (int64_t i = 0; i < 40 * cols; ++i)
    EXPECT_EQ(threshold.as<float>()[i], data.as<float>()[i] > 0.5f ? 1 : 0);

  const HostTensor dynamic = at(Gather::Binarize::dynamic, 0),
                   fixed = at(Gather::Binarize::fixed, 0);
  EXPECT_NE(dynamic, at(Gather::Binarize::dynamic, 1));
  EXPECT_EQ(fixed, at(Gather::Binarize::fixed, 1));
  EXPECT_NE(fixed, at(Gather::Binarize::fixed, 0, 4));
  for (const HostTensor* x : {&dynamic, &fixed}) {
    double error = 0;
    for (int64_t i = 0; i < 40 * cols; ++i) {
      const float v = x->as<float>()[i];
      ASSERT_TRUE(v == 0 || v == 1);
      error += v - data.as<float>()[i];
      const int64_t c = i % cols;  // the first column is 0, the last 1
      EXPECT_TRUE((c > 0 || v == 0) && (c < cols - 1 || v == 1));
    }
    EXPECT_NEAR(error / (40 * cols), 0, 0.02);
  }
}

TEST(Gather, FixedDrawsBelongToTheExample) {
  const Gather op{.batch = 6, .rows = 6, .rows_per_block = 6, .binarize = Gather::Binarize::fixed};
  HostTensor data(Type{DType::f32, {6, 200}});
  std::ranges::fill(data.as<float>(), 0.5f);
  const HostTensor a = gather(op, {data}, 0, one(0.0f), one(1.0f));
  const HostTensor b = gather(op, {data}, 1, one(0.0f), one(1.0f));
  const EpochOrder first(3, 0, 6), second(3, 1, 6);
  for (uint64_t i = 0; i < 6; ++i) {
    uint64_t j = 0;
    while (second(j) != first(i)) ++j;
    EXPECT_TRUE(std::ranges::equal(a.as<float>().subspan(200 * i, 200),
                                   b.as<float>().subspan(200 * j, 200)));
  }
}

TEST(Gather, Errors) {
  const Type counter{DType::u64, {1}}, scalar{DType::f32, {1}};
  const auto infer = [&](const Gather& op, std::vector<Type> data) {
    data.insert(data.begin(), {counter, counter, scalar, scalar});
    return op.infer(data);
  };
  const Gather op{.batch = 2, .rows = 5, .rows_per_block = 3};
  const Type full{DType::u8, {3, 4}}, rest{DType::u8, {2, 4}};
  EXPECT_EQ(infer(op, {full, rest})[0], (Type{DType::f32, {2, 4}}));
  EXPECT_THROW(infer(op, {full}), GraphError);
  EXPECT_THROW(infer(op, {full, full}), GraphError);
  EXPECT_THROW(infer(op, {full, {DType::u8, {2, 5}}}), GraphError);
  EXPECT_THROW(infer(op, {{DType::i32, {3, 4}}, {DType::i32, {2, 4}}}), GraphError);
  Gather drop{.batch = 6, .rows = 5, .rows_per_block = 5, .tail = Gather::Tail::drop};
  EXPECT_THROW(infer(drop, {{DType::u8, {5, 4}}}), GraphError);
}

}  // namespace
}  // namespace latent
