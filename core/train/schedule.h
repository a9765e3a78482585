// Schedules: factors on a learning rate, a penalty's weight or a rate, as functions of the step.
// Plain data, evaluated where the step lives: on the device. Durations are in optimizer steps here.
//
// With s = step - start and u = s - warmup (the schedule's clock begins when the warm-up ends):
//   constant     1
//   linear       from + (to - from) min(1, u / span)
//   cosine       to + (1 - to) (1 + cos(pi min(1, u / span))) / 2   (Loshchilov and Hutter 2017)
//   step         by^floor(u / span)                        (PyTorch's StepLR)
//   exponential  by^(u / span)                             (Keras' ExponentialDecay)
//   cyclic       min(1, (u mod span) / (ramp span))        (Fu et al. 2019)
//   piecewise    the factor of the last point at or before s, 1 before the first (Keras'
//                PiecewiseConstantDecay)
// The warm-up is a part of the spans of linear and cosine: they end at start + span. While s <
// warmup the factor is the value at u = 0 (of piecewise: at s) times s / warmup. Before `start` a
// schedule keeps the value of its first step; a constant is off, that is 0.
#pragma once

#include <array>
#include <cstdint>

#include "core/base/hd.h"
#include "core/math/math.h"

namespace latent {

/// From this step on, this factor.
struct SchedulePoint {
  int64_t step = 0;
  float factor = 1;
  bool operator==(const SchedulePoint&) const = default;
};

struct Schedule {
  enum class Kind : uint8_t { constant, linear, cosine, step, exponential, cyclic, piecewise };
  using Point = SchedulePoint;
  static constexpr int kMaxPoints = 8;

  Kind kind = Kind::constant;
  int64_t start = 0, warmup = 0;
  int64_t span = 1;   ///< linear, cosine: over; step, exponential: every; cyclic: period
  float from = 0;     ///< linear
  float to = 1;       ///< linear, cosine
  float by = 1;       ///< step, exponential: > 0
  float ramp = 0.5f;  ///< cyclic: the share of a period that rises, in (0, 1]
  int points = 0;     ///< piecewise: how many of `point`, whose steps ascend
  std::array<SchedulePoint, kMaxPoints> point = {};

  /// The factor of a step, counted from 0.
  LATENT_HD float factor(int64_t step) const {
    int64_t s = step - start;
    if (s < 0) {
      if (kind == Kind::constant) return 0;
      s = 0;
    }
    if (kind == Kind::piecewise) return rise(s) * piece(s);
    return rise(s) * curve(s > warmup ? s - warmup : 0);
  }

  bool operator==(const Schedule&) const = default;

 private:
  LATENT_HD float rise(int64_t s) const {
    return s < warmup ? static_cast<float>(s) / static_cast<float>(warmup) : 1.0f;
  }

  LATENT_HD float curve(int64_t u) const {
    switch (kind) {
      case Kind::linear:
        return math::fma(to - from, progress(u), from);
      case Kind::cosine: {
        float sine, cosine;
        math::sincos_2pi(0.5f * progress(u), &sine, &cosine);
        return math::fma(1 - to, 0.5f * (1 + cosine), to);
      }
      case Kind::step:
        return math::pow(by, static_cast<float>(u / span));
      case Kind::exponential:
        return math::pow(by, static_cast<float>(u) / static_cast<float>(span));
      case Kind::cyclic:
        return math::min(1.0f, static_cast<float>(u % span) / (ramp * static_cast<float>(span)));
      default:
        return 1;
    }
  }

  /// The share of the span behind the warm-up that has passed.
  LATENT_HD float progress(int64_t u) const {
    const int64_t length = span - warmup;
    return u >= length ? 1.0f : static_cast<float>(u) / static_cast<float>(length);
  }

  LATENT_HD float piece(int64_t s) const {
    float factor = 1;
    for (int i = 0; i < points; ++i)
      if (point[i].step <= s) factor = point[i].factor;
    return factor;
  }
};

}  // namespace latent
