// The bookkeeping at the end of a step.
#include "kernels/track.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/run_op.h"

namespace latent {
namespace {

HostTensor column(const std::vector<float>& values) {
  return host_tensor<float>({static_cast<int64_t>(values.size())}, values);
}
HostTensor sums(const std::vector<double>& values) {
  return host_tensor<double>({static_cast<int64_t>(values.size())}, values);
}

TEST(Track, AddsMeansOverExamples) {
  const Schedule rise{.kind = Schedule::Kind::linear, .span = 10};
  const Track op{.terms = {{.weight = 1}, {.weight = 0.5f, .schedule = rise}}};
  const auto out = run_op(op, {sums({10, 3, 4, 5}), one<uint64_t>(0), one<uint64_t>(5),
                               column({1, 2, 3, 6}), column({8})});
  // Means 3 and 8; loss 3 + 0.5 * 0.5 * 8 = 5; 4 examples.
  EXPECT_EQ(out[0], sums({14, 3 + 20, 4 + 12, 5 + 32}));
  EXPECT_EQ(out[1], one<uint64_t>(0));
  EXPECT_EQ(out[2], one<uint64_t>(6));
}

TEST(Track, CountsRealRowsAlone) {
  const Track op{.terms = {{.weight = 2}, {}}, .weighted = true};
  const auto out = run_op(op, {sums({0, 0, 0, 0}), one<uint64_t>(0), one<uint64_t>(0),
                               column({1, 1, 0, 0}), column({1, 3, 100, 100}), column({7})});
  EXPECT_EQ(out[0], sums({2, 2 * (2 * 2 + 7), 2 * 2, 2 * 7}));
}

TEST(Track, LatchesTheFirstLossThatIsNotFinite) {
  for (const float bad : {std::nanf(""), INFINITY, -INFINITY}) {
    const Track op{.terms = {{}, {.weight = 0}}};
    const HostTensor before = sums({2, 3, 4, 5});
    const auto out =
        run_op(op, {before, one<uint64_t>(0), one<uint64_t>(41), column({1, bad}), column({1, 1})});
    EXPECT_EQ(out[0], before);
    EXPECT_EQ(out[1], one<uint64_t>(42));
    EXPECT_EQ(out[2], one<uint64_t>(42));
    const auto later = run_op(op, {out[0], out[1], out[2], column({1, 1}), column({1, 1})});
    EXPECT_EQ(later, out);
  }
}

TEST(Track, ManyRowsAndTerms) {
  const int64_t rows = 5000;
  for (const bool weighted : {false, true}) {
    Track op{.terms = {}, .weighted = weighted};
    std::vector<HostTensor> in{HostTensor(Type{DType::f64, {2 + Track::kMaxTerms}}),
                               one<uint64_t>(0), one<uint64_t>(0)};
    if (weighted) in.push_back(column(std::vector<float>(rows, 1)));
    double loss = 0;
    for (int k = 0; k < Track::kMaxTerms; ++k) {
      op.terms.push_back({.weight = 0.5f});
      in.push_back(column(std::vector<float>(rows, static_cast<float>(k))));
      loss += 0.5 * k;
    }
    const HostTensor got = run_op(op, in)[0];
    EXPECT_EQ(got.as<double>()[0], rows);
    EXPECT_EQ(got.as<double>()[1], rows * loss);
    for (int k = 0; k < Track::kMaxTerms; ++k) EXPECT_EQ(got.as<double>()[2 + k], rows * double(k));
  }
}

TEST(Track, Errors) {
  const Type counter{DType::u64, {1}}, rows{DType::f32, {4}};
  const Track op{.terms = {{}, {}}};
  const auto infer = [&](std::vector<Type> in) { return op.infer(in); };
  EXPECT_NO_THROW(infer({{DType::f64, {4}}, counter, counter, rows, {DType::f32, {}}}));
  EXPECT_THROW(infer({{DType::f64, {3}}, counter, counter, rows, rows}), GraphError);
  EXPECT_THROW(infer({{DType::f64, {4}}, counter, counter, rows}), GraphError);
  EXPECT_THROW(infer({{DType::f64, {4}}, counter, counter, rows, {DType::f32, {5}}}), GraphError);
  EXPECT_THROW(infer({{DType::f64, {4}}, counter, counter, rows, {DType::f64, {4}}}), GraphError);
  EXPECT_THROW(infer({{DType::f64, {4}}, {DType::i32, {1}}, counter, rows, rows}), GraphError);
}

}  // namespace
}  // namespace latent
