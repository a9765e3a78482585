// Schedules against their closed forms in double.
#include "core/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "kernels/schedule_factor.h"
#include "tests/run_op.h"

namespace latent {
namespace {

using Kind = Schedule::Kind;

void expect_table(const Schedule& schedule, int64_t steps,
                  const std::function<double(int64_t)>& f) {
  for (int64_t s = 0; s < steps; ++s)
    EXPECT_NEAR(schedule.factor(s), f(s), 3e-7 * std::max(1.0, f(s))) << "step " << s;
}

TEST(Schedule, ClosedForms) {
  expect_table({}, 5, [](int64_t) { return 1.0; });
  expect_table({.kind = Kind::linear, .span = 10, .from = 2, .to = 0.5f}, 25, [](int64_t s) {
    return 2 + (0.5 - 2) * std::min(1.0, static_cast<double>(s) / 10);
  });
  expect_table({.kind = Kind::cosine, .span = 100, .to = 0.1f}, 150, [](int64_t s) {
    const double t = std::min(1.0, static_cast<double>(s) / 100);
    return 0.1 + 0.9 * (1 + std::cos(M_PI * t)) / 2;
  });
  expect_table({.kind = Kind::step, .span = 30, .by = 0.1f}, 200, [](int64_t s) {
    return std::pow(static_cast<double>(0.1f), std::floor(static_cast<double>(s) / 30));
  });
  expect_table({.kind = Kind::exponential, .span = 7, .by = 0.95f}, 300, [](int64_t s) {
    return std::pow(static_cast<double>(0.95f), static_cast<double>(s) / 7);
  });
  expect_table({.kind = Kind::cyclic, .span = 20, .ramp = 0.25f}, 90,
               [](int64_t s) { return std::min(1.0, static_cast<double>(s % 20) / 5); });
  Schedule pieces{.kind = Kind::piecewise, .points = 2};
  pieces.point[0] = {10, 0.5f};
  pieces.point[1] = {20, 0.25f};
  expect_table(pieces, 40, [](int64_t s) { return s < 10 ? 1.0 : s < 20 ? 0.5 : 0.25; });
}

TEST(Schedule, WarmUpIsPartOfTheSpan) {
  // Hugging Face's get_cosine_schedule_with_warmup(warmup 10, total 100).
  expect_table({.kind = Kind::cosine, .warmup = 10, .span = 100, .to = 0}, 120, [](int64_t s) {
    if (s < 10) return static_cast<double>(s) / 10;
    return (1 + std::cos(M_PI * std::min(1.0, static_cast<double>(s - 10) / 90))) / 2;
  });
  expect_table({.warmup = 4}, 10,
               [](int64_t s) { return std::min(1.0, static_cast<double>(s) / 4); });
  // The clock of a step decay begins when the warm-up ends.
  expect_table({.kind = Kind::step, .warmup = 5, .span = 10, .by = 0.5f}, 40, [](int64_t s) {
    return s < 5 ? static_cast<double>(s) / 5 : std::pow(0.5, static_cast<double>((s - 5) / 10));
  });
  Schedule pieces{.kind = Kind::piecewise, .warmup = 4, .points = 1};
  pieces.point[0] = {2, 0.5f};
  expect_table(pieces, 8, [](int64_t s) {
    return (s < 2 ? 1.0 : 0.5) * std::min(1.0, static_cast<double>(s) / 4);
  });
}

TEST(Schedule, BeforeItsStart) {
  expect_table({.start = 3}, 8, [](int64_t s) { return s < 3 ? 0.0 : 1.0; });
  expect_table(
      {.kind = Kind::linear, .start = 5, .span = 10, .from = 1, .to = 0}, 30,
      [](int64_t s) { return s < 5 ? 1.0 : 1 - std::min(1.0, static_cast<double>(s - 5) / 10); });
  expect_table({.start = 3, .warmup = 2}, 8, [](int64_t s) {
    return s < 3 ? 0.0 : std::min(1.0, static_cast<double>(s - 3) / 2);
  });
}

TEST(Schedule, LongTrainings) {
  const Schedule cosine{.kind = Kind::cosine, .span = 2'000'000'000, .to = 0};
  EXPECT_NEAR(cosine.factor(1'000'000'000), 0.5, 1e-6);
  EXPECT_EQ(cosine.factor(int64_t{1} << 40), 0.0f);
}

TEST(Schedule, AsAValueOfTheGraph) {
  const Schedule half{.kind = Kind::step, .span = 3, .by = 0.5f};
  const HostTensor y = run_op(ScheduleFactor{.schedule = half, .weight = 8}, {one<uint64_t>(7)})[0];
  EXPECT_EQ(y.type, (Type{DType::f32, {}}));
  EXPECT_EQ(y.as<float>()[0], 2);
  EXPECT_THROW(ScheduleFactor{}.infer(std::vector<Type>{{DType::f32, {1}}}), GraphError);
}

TEST(Schedule, Equality) {
  Schedule a{.kind = Kind::step, .span = 3}, b = a;
  EXPECT_EQ(a, b);
  b.by = 0.5f;
  EXPECT_NE(a, b);
}

}  // namespace
}  // namespace latent
