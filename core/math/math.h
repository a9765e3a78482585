// Elementary functions that give the same bits on every device, and that a compiler can vectorise.
//
// The float functions are polynomials in explicit fma, without branches or tables: a loop over them
// becomes SIMD code, and every operation in them is correctly rounded on CPU and GPU alike (host
// code is built with -ffp-contract=off, device code with -fmad=false). Greatest errors over all
// floats, in units in the last place: exp 1.1, expm1 1.5, log 0.9, log1p 1.5, tanh 2.5, sigmoid
// 2.4, log1p_unit 1.5, softplus 2.1, erf 1.2, sine and cosine 1.6, pow 3 for |y| <= 40, else 11.
// Overflow gives infinity, underflow goes through the denormals to 0 (sigmoid flushes them below
// -88.7), NaN gives a NaN. The double functions are those of the C library, for tests.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/base/hd.h"

namespace latent::math {

// ---- Bits and selection ----

LATENT_HD uint32_t bits_of(float x) { return __builtin_bit_cast(uint32_t, x); }
LATENT_HD float float_of(uint32_t bits) { return __builtin_bit_cast(float, bits); }

/// c ? a : b, both evaluated. On the host through a bit mask: from `?:` compilers make branches,
/// which stop vectorisation.
LATENT_HD float select(bool c, float a, float b) {
#if defined(__CUDA_ARCH__)
  return c ? a : b;
#else
  const uint32_t mask = -static_cast<uint32_t>(c);
  return float_of((bits_of(a) & mask) | (bits_of(b) & ~mask));
#endif
}
LATENT_HD double select(bool c, double a, double b) { return c ? a : b; }

/// a * b + c, rounded once.
LATENT_HD float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
LATENT_HD double fma(double a, double b, double c) { return ::fma(a, b, c); }

LATENT_HD float abs(float x) { return float_of(bits_of(x) & 0x7fffffffu); }
LATENT_HD double abs(double x) { return ::fabs(x); }

/// The larger (smaller) of the two; where either is NaN, the first: max(x, 0) keeps a NaN x.
template <class T>
LATENT_HD T max(T a, T b) {
  return select(a < b, b, a);
}
template <class T>
LATENT_HD T min(T a, T b) {
  return select(b < a, b, a);
}

LATENT_HD float sqrt(float x) { return ::sqrtf(x); }
LATENT_HD double sqrt(double x) { return ::sqrt(x); }

/// 1 / sqrt(x), in two correctly rounded operations.
LATENT_HD float rsqrt(float x) { return 1.0f / sqrt(x); }
LATENT_HD double rsqrt(double x) { return 1.0 / sqrt(x); }

// ---- What the functions share ----

namespace detail {

constexpr float kInfinity = __builtin_huge_valf();
constexpr float kNaN = __builtin_nanf("");
constexpr float kLog2e = 0x1.715476p+0f;
constexpr float kLn2High = 0x1.62e4p-1f;  ///< 15 bits: its product with an exponent is exact
constexpr float kLn2Low = 0x1.7f7d1cp-20f;
constexpr float kRound =
    0x1.8p23f;  ///< added, then taken away: rounds |x| < 2^22 to the nearest integer

/// x = n ln 2 + r, |r| <= ln 2 / 2, for |x| < 2^15.
struct Reduced {
  int32_t n;
  float whole, r;
};
LATENT_HD Reduced reduce_ln2(float x) {
  const float shifted = fma(x, kLog2e, kRound);
  const float whole = shifted - kRound;
  const float r = fma(whole, -kLn2Low, fma(whole, -kLn2High, x));
  return {static_cast<int32_t>(bits_of(shifted) - bits_of(kRound)), whole, r};
}

LATENT_HD float power_of_two(int32_t n) { return float_of(static_cast<uint32_t>(n + 127) << 23); }

/// e^r for |r| <= 0.35.
LATENT_HD float exp_of_rest(float r) {
  float p = 0x1.69546ap-10f;
  p = fma(p, r, 0x1.123b10p-7f);
  p = fma(p, r, 0x1.555a22p-5f);
  p = fma(p, r, 0x1.555490p-3f);
  p = fma(p, r, 0x1.fffffap-2f);
  return fma(p * r, r, r) + 1.0f;
}

/// 2^n e^r. The factor comes in two halves, so that n may lead to infinity or into the denormals.
LATENT_HD float scaled_exp(int32_t n, float r) {
  const int32_t half = n >> 1;
  return exp_of_rest(r) * power_of_two(half) * power_of_two(n - half);
}

/// (log(1 + f) - f + f^2/2) / f^3 for 1 + f in [sqrt(1/2), sqrt(2)].
LATENT_HD float log1p_tail(float f) {
  float p = -0x1.4c628cp-4f;
  p = fma(p, f, 0x1.0ae6e0p-3f);
  p = fma(p, f, -0x1.0c0eb4p-3f);
  p = fma(p, f, 0x1.21cd2cp-3f);
  p = fma(p, f, -0x1.548186p-3f);
  p = fma(p, f, 0x1.99b034p-3f);
  p = fma(p, f, -0x1.000216p-2f);
  return fma(p, f, 0x1.55552ep-2f);
}

/// e ln 2 + log(1 + f).
LATENT_HD float log_of_parts(float e, float f) {
  const float square = f * f;
  float y = fma(f * square, log1p_tail(f), e * kLn2Low);
  y = fma(square, -0.5f, y);
  return fma(e, kLn2High, f + y);
}

/// The exponent of x > 0 when its mantissa is taken from [sqrt(1/2), sqrt(2)).
LATENT_HD int32_t exponent_of(float x) {
  return static_cast<int32_t>(bits_of(x) - 0x3f3504f3u) >> 23;
}

/// x 2^-e, exact for normal x and result.
LATENT_HD float divide_by_power(float x, int32_t e) {
  return float_of(bits_of(x) - (static_cast<uint32_t>(e) << 23));
}

}  // namespace detail

// ---- Exponentials ----

LATENT_HD float exp(float x) {
  const auto [n, whole, r] = detail::reduce_ln2(max(min(x, 89.0f), -104.0f));
  return detail::scaled_exp(n, r);
}
LATENT_HD double exp(double x) { return ::exp(x); }

/// exp(x) for x <= 0, at two thirds of exp's cost; below -87.33 it stays at 1.2e-38.
LATENT_HD float exp_negative(float x) {
  const auto [n, whole, r] = detail::reduce_ln2(max(x, -87.33f));
  return detail::exp_of_rest(r) * detail::power_of_two(n);
}
LATENT_HD double exp_negative(double x) { return ::exp(x); }

/// exp(x) - 1 without cancellation near 0.
LATENT_HD float expm1(float x) {
  const auto [n, whole, r] = detail::reduce_ln2(max(min(x, 89.0f), -25.0f));
  float p = 0x1.9e0994p-13f;
  p = fma(p, r, 0x1.6d43ccp-10f);
  p = fma(p, r, 0x1.111308p-7f);
  p = fma(p, r, 0x1.5554f0p-5f);
  p = fma(p, r, 0x1.555554p-3f);
  p = fma(p, r, 0.5f);
  p = fma(p * r, r, r);
  // 2^n (1 + p) - 1, by halves: 2^128 is no float.
  const float half = detail::power_of_two(n - 1);
  const float y = 2.0f * fma(p, half, half - 0.5f);
  return select(n == 0, p, y);
}
LATENT_HD double expm1(double x) { return ::expm1(x); }

/// 1 / (1 + exp(-x)).
LATENT_HD float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }
LATENT_HD double sigmoid(double x) { return 1.0 / (1.0 + ::exp(-x)); }

/// -t / (t + 2) with t = exp(-2|x|) - 1, and the sign of x.
LATENT_HD float tanh(float x) {
  const float t = expm1(-2.0f * abs(x));
  const float y = abs(t) / (t + 2.0f);
  return float_of(bits_of(y) | (bits_of(x) & 0x80000000u));
}
LATENT_HD double tanh(double x) { return ::tanh(x); }

// ---- Logarithms ----

/// -infinity at 0, NaN below.
LATENT_HD float log(float x) {
  const bool tiny = x < 0x1p-126f;
  const float scaled = select(tiny, x * 0x1p+24f, x);
  const int32_t e = detail::exponent_of(scaled);
  const float f = detail::divide_by_power(scaled, e) - 1.0f;
  const float offset = select(tiny, -24.0f, 0.0f);
  float y = detail::log_of_parts(static_cast<float>(e) + offset, f);
  y = select(x < detail::kInfinity, y, x);  // infinity and NaN stay
  return select(x > 0.0f, y, select(x == 0.0f, -detail::kInfinity, detail::kNaN));
}
LATENT_HD double log(double x) { return ::log(x); }

/// log(1 + x) without cancellation near 0; -infinity at -1, NaN below.
LATENT_HD float log1p(float x) {
  const int32_t e = detail::exponent_of(1.0f + x);
  // (1 + x) 2^-e - 1 without the rounding of 1 + x; 4 2^-e because 2^-128 is no normal float.
  const float four = float_of(0x40800000u - (static_cast<uint32_t>(e) << 23));
  const float f = detail::divide_by_power(x, e) + fma(four, 0.25f, -1.0f);
  float y = detail::log_of_parts(static_cast<float>(e), f);
  y = select(x < detail::kInfinity, y, x);
  return select(x > -1.0f, y, select(x == -1.0f, -detail::kInfinity, detail::kNaN));
}
LATENT_HD double log1p(double x) { return ::log1p(x); }

/// log(1 + x) for x in [0, 1], at half of log1p's cost: x + x^2 Q(x).
LATENT_HD float log1p_unit(float x) {
  float q = 0x1.5f96e8p-8f;
  q = fma(q, x, -0x1.ec992ap-6f);
  q = fma(q, x, 0x1.446c02p-4f);
  q = fma(q, x, -0x1.19ad8cp-3f);
  q = fma(q, x, 0x1.884452p-3f);
  q = fma(q, x, -0x1.fd1322p-3f);
  q = fma(q, x, 0x1.5535dap-2f);
  q = fma(q, x, -0x1.ffff14p-2f);
  return fma(q, x * x, x);
}
LATENT_HD double log1p_unit(double x) { return ::log1p(x); }

/// log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)).
LATENT_HD float softplus(float x) { return max(x, 0.0f) + log1p_unit(exp(-abs(x))); }
LATENT_HD double softplus(double x) { return max(x, 0.0) + ::log1p(::exp(-::fabs(x))); }

/// x^y for x >= 0 (NaN below): exp(y log x), with log x in two floats.
LATENT_HD float pow(float x, float y) {
  const bool tiny = x < 0x1p-126f;
  const float scaled = select(tiny, x * 0x1p+24f, x);
  const int32_t exponent = detail::exponent_of(scaled);
  const float f = detail::divide_by_power(scaled, exponent) - 1.0f;
  const float e = static_cast<float>(exponent) + select(tiny, -24.0f, 0.0f);
  // log x = sum + rest = log_x + log_low: each sum keeps what it rounded away.
  const float square = f * f;
  const float square_low = fma(f, f, -square);
  const float head = fma(square, -0.5f, f);
  const float head_low = fma(square, -0.5f, f - head);
  const float sum = fma(e, detail::kLn2High, head);
  const float sum_low = fma(e, detail::kLn2High, -sum) + head;
  float rest = fma(f * square, detail::log1p_tail(f), e * detail::kLn2Low);
  rest = fma(square_low, -0.5f, rest) + (head_low + sum_low);
  const float log_x = sum + rest;
  const float log_low = rest - (log_x - sum);

  const float z = y * log_x;
  const float z_low = fma(y, log_low, fma(y, log_x, -z));
  const auto [n, whole, r] = detail::reduce_ln2(max(min(z, 89.0f), -104.0f));
  float result = detail::scaled_exp(n, r + select(abs(z) < 104.0f, z_low, 0.0f));
  const float at_zero = select(y > 0.0f, 0.0f, detail::kInfinity);
  const float at_infinity = select(y > 0.0f, detail::kInfinity, 0.0f);
  result = select(x == 0.0f, at_zero, result);
  result = select(x == detail::kInfinity, at_infinity, result);
  result = select(x >= 0.0f, result, detail::kNaN);
  result = select(y == y, result, y);
  return select(y == 0.0f || x == 1.0f, 1.0f, result);
}
LATENT_HD double pow(double x, double y) { return ::pow(x, y); }

// ---- erf and trigonometry ----

/// x + x P(x^2) up to 1; from there 1 - exp(-Q(|x|)), Q a fit of -log(erfc).
LATENT_HD float erf(float x) {
  const float a = abs(x), square = x * x;
  float p = 0x1.4917a4p-14f;
  p = fma(p, square, -0x1.a3d812p-11f);
  p = fma(p, square, 0x1.540172p-8f);
  p = fma(p, square, -0x1.b7f88cp-6f);
  p = fma(p, square, 0x1.ce2cf2p-4f);
  p = fma(p, square, -0x1.81273ep-2f);
  p = fma(p, square, 0x1.06eba8p-3f);
  const float small = fma(p, a, a);
  float q = -0x1.8cb188p-13f;
  q = fma(q, a, 0x1.8611e2p-9f);
  q = fma(q, a, -0x1.67b964p-6f);
  q = fma(q, a, 0x1.a75f08p-4f);
  q = fma(q, a, 0x1.4692f4p-1f);
  q = fma(q, a, 0x1.209562p+0f);
  q = fma(q, a, 0x1.334494p-12f);
  const float large = 1.0f - exp(-q);
  const float y = select(a < 1.0f, small, select(a < 3.93f, large, 1.0f));
  return select(x == x, float_of(bits_of(y) | (bits_of(x) & 0x80000000u)), x);
}
LATENT_HD double erf(double x) { return ::erf(x); }

/// sin and cos of 2 pi u, for |u| < 2^19. Exact reduction: u is in turns.
LATENT_HD void sincos_2pi(float u, float* sine, float* cosine) {
  const float quarters = 4.0f * u;
  const float shifted = quarters + detail::kRound;
  const float r = quarters - (shifted - detail::kRound);  // in [-1/2, 1/2] quarters
  const uint32_t quadrant = bits_of(shifted);
  const float square = r * r;
  float s = -0x1.2d9e5ap-8f;
  s = fma(s, square, 0x1.465edcp-4f);
  s = fma(s, square, -0x1.4abbbap-1f);
  s = fma(s, square, -0x1.9e5ee4p-25f);
  s = fma(s, r, 0x1.921fb6p+0f * r);
  float c = 0x1.d61e28p-11f;
  c = fma(c, square, -0x1.55b684p-6f);
  c = fma(c, square, 0x1.03c1b6p-2f);
  c = fma(c, square, -0x1.3bd3ccp+0f);
  c = fma(c, square, 1.0f);
  const bool swap = (quadrant & 1u) != 0;
  *sine = float_of(bits_of(select(swap, c, s)) ^ ((quadrant & 2u) << 30));
  *cosine = float_of(bits_of(select(swap, s, c)) ^ (((quadrant + 1u) & 2u) << 30));
}
LATENT_HD void sincos_2pi(double u, double* sine, double* cosine) {
  constexpr double kTwoPi = 6.283185307179586476925286766559;
  *sine = ::sin(kTwoPi * u);
  *cosine = ::cos(kTwoPi * u);
}

}  // namespace latent::math
