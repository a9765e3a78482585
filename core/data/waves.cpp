#include "core/data/waves.h"

#include <algorithm>
#include <array>
#include <span>

#include "core/data/drawing.h"

namespace latent {
namespace {

/// A smooth bump: height (1 - u^2)^3 for |u| < 1, u = (t - centre) / width. Times are in windows, [0, 1).
struct Bump {
  double centre, width, height;

  double operator()(double t) const {
    const double u = (t - centre) / width;
    const double rest = std::max(0.0, 1 - u * u);
    return height * rest * rest * rest;
  }
};

enum Kind { kNormal, kEctopic, kRaised, kFluttering, kDouble };

/// P, Q, R, S and T of one beat that begins at `start`.
struct Beat {
  Bump p, q, r, s, t;

  Beat(DrawingNumbers& random, double start) {
    const auto vary = [&](double mean, double share) { return mean * (1 + share * random.bell()); };
    const double qrs = start + 0.24 + 0.012 * random.bell();
    p = {qrs - vary(0.13, 0.08), vary(0.055, 0.15), vary(0.28, 0.2)};
    q = {qrs - 0.035, vary(0.025, 0.1), vary(-0.3, 0.25)};
    r = {qrs, vary(0.04, 0.1), vary(2.1, 0.1)};
    s = {qrs + 0.045, vary(0.035, 0.1), vary(-0.7, 0.2)};
    t = {qrs + vary(0.3, 0.06), vary(0.16, 0.12), vary(0.65, 0.18)};
  }
  double operator()(double at) const { return p(at) + q(at) + r(at) + s(at) + t(at); }
};

/// Kind of a row: normal in four of five.
Kind draw_kind(DrawingNumbers& random) {
  const double u = random.uniform();
  return u < 0.8 ? kNormal : static_cast<Kind>(1 + std::min(3, static_cast<int>((u - 0.8) * 20)));
}

void make_ectopic(Beat& beat, DrawingNumbers& random) {
  const double early = random.uniform(0.02, 0.07);
  for (Bump* b : {&beat.q, &beat.r, &beat.s, &beat.t}) b->centre -= early;
  beat.p.height *= random.uniform(0, 0.3);
  beat.r.width *= random.uniform(1.5, 2.2);
  beat.s = {beat.s.centre + 0.03, beat.s.width * 1.8, beat.s.height};
  beat.t.height *= random.uniform(-1.1, -0.3);
}

/// Draws row `index`; its label.
uint8_t draw(uint64_t data_seed, int64_t index, std::span<float> row) {
  DrawingNumbers random(data_seed, static_cast<uint64_t>(index));
  const Kind kind = draw_kind(random);
  Beat beat(random, 0);
  const double drift = 0.12 * random.bell(), phase = random.uniform(),
               turns = random.uniform(0.3, 0.9);
  const double warp = 0.012 * random.bell(), warp_phase = random.uniform();

  Bump lift{0, 1, 0};
  double flutter = 0, flutter_turns = 0;
  if (kind == kEctopic) make_ectopic(beat, random);
  if (kind == kRaised) {
    lift = {(beat.r.centre + beat.t.centre) / 2, random.uniform(0.14, 0.2),
            random.uniform(0.35, 0.8)};
    beat.r.height *= random.uniform(0.7, 0.95);
  }
  if (kind == kFluttering) {
    beat.p.height = 0;
    flutter = random.uniform(0.1, 0.22);
    flutter_turns = random.uniform(6, 10);
  }
  Beat second(random, random.uniform(0.42, 0.55));
  const double share = kind == kDouble ? random.uniform(0.3, 0.7) : 0;

  for (int i = 0; i < kWaveSteps; ++i) {
    const double plain = i / double{kWaveSteps};
    const double t = plain + warp * sin_turns(plain + warp_phase);
    double value = beat(t) + lift(t) + share * second(t) +
                   drift * sin_turns(turns * plain + phase) + 0.04 * random.bell();
    value += flutter * sin_turns(flutter_turns * plain + phase);
    row[i] = static_cast<float>(value);
  }
  return static_cast<uint8_t>(kind);
}

}  // namespace

Waves make_waves(int64_t count, uint64_t data_seed) {
  Waves out{HostTensor(Type{DType::f32, {count, kWaveSteps, 1}}),
            std::vector<uint8_t>(static_cast<size_t>(count))};
  const auto values = out.rows.as<float>();
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; ++i)
    out.labels[static_cast<size_t>(i)] =
        draw(data_seed, i, values.subspan(static_cast<size_t>(i) * kWaveSteps, kWaveSteps));
  return out;
}

}  // namespace latent
