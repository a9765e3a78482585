// The functions of core/math: accuracy against double over all magnitudes, special values.
#include "core/math/math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace latent {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

/// |got - want| in units in the last place of want as a float; huge where one of them is special.
double ulps(float got, double want) {
  const float rounded = static_cast<float>(want);
  if (std::isnan(rounded)) return std::isnan(got) ? 0 : 1e30;
  if (std::isinf(rounded) || std::isinf(got)) return got == rounded ? 0 : 1e30;
  const int exponent = want == 0 ? -126 : std::max(std::ilogb(want), -126);
  return std::abs(got - want) / std::ldexp(1.0, exponent - 23);
}

/// The worst error over floats of every sign and exponent, denormals and special values too.
template <class F, class G>
double worst(F f, G g) {
  double most = 0;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 8191) {
    const float x = math::float_of(static_cast<uint32_t>(bits));
    most = std::max(most, ulps(f(x), g(static_cast<double>(x))));
  }
  for (const float x : {0.0f, -0.0f, 1.0f, -1.0f, kInf, -kInf, kNan})
    most = std::max(most, ulps(f(x), g(static_cast<double>(x))));
  return most;
}

#define LATENT_WORST(name) \
  worst([](float x) { return math::name(x); }, [](double x) { return math::name(x); })

TEST(Math, Accuracy) {
  EXPECT_LT(LATENT_WORST(exp), 1.1);
  const auto down = [](auto x) { return math::exp_negative(x > 0 || x < -87.3f ? 0 * x : x); };
  EXPECT_LT(worst(down, down), 1.1);
  EXPECT_LT(LATENT_WORST(expm1), 1.5);
  EXPECT_LT(LATENT_WORST(log), 1.0);
  EXPECT_LT(LATENT_WORST(log1p), 1.5);
  EXPECT_LT(LATENT_WORST(tanh), 2.5);
  const auto unit = [](auto x) { return math::log1p_unit(x < 0 || x > 1 ? 0 * x : x); };
  EXPECT_LT(worst(unit, unit), 1.5);
  EXPECT_LT(LATENT_WORST(softplus), 2.1);
  EXPECT_LT(LATENT_WORST(erf), 1.2);
  EXPECT_LT(LATENT_WORST(sqrt), 0.51);
  EXPECT_LT(LATENT_WORST(rsqrt), 1.51);
  const auto flushed = [](double x) { return x < -87.3 ? 0.0 : math::sigmoid(x); };
  EXPECT_LT(worst([&](float x) { return x < -87.3f ? 0.0f : math::sigmoid(x); }, flushed), 2.5);
}

TEST(Math, ExponentialOfNegativesHasNoDenormals) {
  EXPECT_NEAR(math::exp_negative(-100.0f), 1.2e-38, 1e-39);
  EXPECT_EQ(math::exp_negative(-kInf), math::exp_negative(-100.0f));
  EXPECT_EQ(math::exp_negative(-0.0f), 1.0f);
}

TEST(Math, SigmoidTail) {
  EXPECT_EQ(math::sigmoid(-100.0f), 0.0f);
  EXPECT_EQ(math::sigmoid(-kInf), 0.0f);
  EXPECT_EQ(math::sigmoid(kInf), 1.0f);
  EXPECT_NEAR(math::sigmoid(-88.0f), std::exp(-88.0), 1e-44);
}

TEST(Math, Power) {
  for (const float y : {0.0f, 0.5f, 1.0f, 2.0f, -1.5f, 3.3f, 17.0f, 40.0f, 1e-3f, -0.1f}) {
    const auto power = [y](double x) {
      return x < 0 ? std::nan("") : std::pow(x, static_cast<double>(y));
    };
    const auto ours = [y](float x) { return x < 0 && y == 0 ? kNan : math::pow(x, y); };
    EXPECT_LT(worst(ours, power), 3) << y;
  }
  for (const float x : {0.9f, 0.999f, 1.5f, 10.0f, 1e-20f, 3e38f, 1e-42f}) {
    const auto power = [x](double y) { return std::pow(static_cast<double>(x), y); };
    EXPECT_LT(worst([x](float y) { return math::pow(x, y); }, power), 11) << x;
  }
  EXPECT_EQ(math::pow(0.0f, 2.0f), 0.0f);
  EXPECT_EQ(math::pow(0.0f, -2.0f), kInf);
  EXPECT_EQ(math::pow(0.0f, 0.0f), 1.0f);
  EXPECT_EQ(math::pow(kInf, -1.0f), 0.0f);
  EXPECT_EQ(math::pow(1.0f, kInf), 1.0f);
}

TEST(Math, SineAndCosineOfTurns) {
  double most = 0;
  for (int i = -(1 << 22); i <= (1 << 22); i += 5) {
    const float u = static_cast<float>(i) * 0x1p-20f;
    float s, c;
    math::sincos_2pi(u, &s, &c);
    const long double turn = 2 * M_PIl * static_cast<long double>(i) * 0x1p-20l;
    most = std::max({most, std::abs(s - static_cast<double>(sinl(turn))),
                     std::abs(c - static_cast<double>(cosl(turn)))});
  }
  EXPECT_LT(most, 8e-8);
  float s, c;
  math::sincos_2pi(0.25f, &s, &c);
  EXPECT_EQ(s, 1.0f);
  EXPECT_EQ(c, 0.0f);
  math::sincos_2pi(-0.5f, &s, &c);
  EXPECT_EQ(s, 0.0f);
  EXPECT_EQ(c, -1.0f);
}

TEST(Math, SelectionKeepsNan) {
  EXPECT_TRUE(std::isnan(math::max(kNan, 0.0f)));
  EXPECT_TRUE(std::isnan(math::min(kNan, 0.0f)));
  EXPECT_EQ(math::max(-1.0f, 0.0f), 0.0f);
  EXPECT_EQ(math::abs(-3.5f), 3.5f);
  EXPECT_EQ(math::select(true, 1.0f, kNan), 1.0f);
}

}  // namespace
}  // namespace latent
