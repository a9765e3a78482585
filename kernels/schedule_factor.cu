#include "kernels/schedule_factor.h"

#include "core/graph/samples.h"
#include "kernels/skeleton/skeleton.h"

namespace latent {
namespace {

struct Factor {
  const uint64_t* step;
  float* out;
  float weight;
  Schedule schedule;
  LATENT_HD void operator()(int64_t) const {
    out[0] = weight * schedule.factor(static_cast<int64_t>(*step));
  }
};

const RegisterSamples samples{
    "schedule_factor", [] {
      using Kind = Schedule::Kind;
      std::vector<Schedule> schedules{
          {.kind = Kind::constant, .start = 5},
          {.kind = Kind::linear, .start = 3, .span = 20, .from = 2, .to = 0.5f},
          {.kind = Kind::cosine, .warmup = 4, .span = 30, .to = 0.1f},
          {.kind = Kind::step, .span = 3, .by = 0.3f},
          {.kind = Kind::exponential, .span = 7, .by = 0.9f},
          {.kind = Kind::cyclic, .span = 9, .ramp = 0.3f},
          {.kind = Kind::piecewise, .points = 2, .point = {{{5, 0.5f}, {12, 0.1f}}}}};
      std::vector<Sample> all;
      for (const Schedule& schedule : schedules)
        all.push_back({.name = cat("schedule_factor/", static_cast<int>(schedule.kind)),
                       .op = ScheduleFactor{.schedule = schedule, .weight = 0.7f},
                       .in = {{DType::u64, {1}}},
                       .range = {{0, 29}},
                       .order = 0});
      return all;
    }};

}  // namespace

std::vector<Type> ScheduleFactor::infer(Types in) const {
  if (in.size() != 1 || in[0] != Type{DType::u64, {1}})
    throw op_error(name, "takes step u64[1]", in);
  return {{DType::f32, {}}};
}

Kernel ScheduleFactor::prepare(const Signature&, Device&) const {
  return {.run = [op = *this](const Args& a) {
    for_each(a.stream, 1, Factor{a.input<uint64_t>(0), a.output<float>(0), op.weight, op.schedule});
  }};
}

}  // namespace latent
