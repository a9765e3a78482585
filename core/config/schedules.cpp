#include "core/config/schedules.h"

#include <algorithm>

#include "core/config/choice.h"
#include "core/config/duration.h"

namespace latent {
namespace {

using namespace schema;

const RegisterOptions shared{
    "schedule",
    {option("warmup", duration(), "0", "rises from 0 over this long at first"),
     option("start", duration(), "0", "its clock begins then")}};

const RegisterChoice constant{Family::schedule, {"constant", "1 throughout", {}, {}, ""}};
const RegisterChoice linear{Family::schedule,
                            {"linear",
                             "a straight line",
                             {required("over", duration("(0, inf)"), "how long"),
                              option("from", real("[0, inf)"), "0", "first factor"),
                              option("to", real("[0, inf)"), "1", "last factor")},
                             {},
                             ""}};
const RegisterChoice cosine{Family::schedule,
                            {"cosine",
                             "half a cosine from 1 (Loshchilov and Hutter 2017, without restarts)",
                             {option("over", duration("(0, inf)"), "100 %", "how long"),
                              option("to", real("[0, inf)"), "0", "last factor")},
                             {},
                             ""}};
const RegisterChoice step{Family::schedule,
                          {"step",
                           "multiplied at regular times",
                           {required("every", duration("(0, inf)"), "between two times"),
                            option("by", real("(0, inf)"), "0.1", "multiplied by")},
                           {},
                           ""}};
const RegisterChoice exponential{Family::schedule,
                                 {"exponential",
                                  "multiplied a little at every step",
                                  {required("every", duration("(0, inf)"), "how long for one `by`"),
                                   required("by", real("(0, inf)"), "multiplied by")},
                                  {},
                                  ""}};
const RegisterChoice cyclic{
    Family::schedule,
    {"cyclic",
     "rises from 0 to 1 and stays, again and again (Fu et al. 2019)",
     {required("period", duration("(0, inf)"), "how long"),
      option("ramp", real("(0, 1]"), "0.5", "share of a period that rises")},
     {},
     ""}};
const RegisterChoice piecewise{
    Family::schedule,
    {"piecewise",
     "the factor of the last point that has passed, 1 before the first",
     {required("points", list_of(tuple_of({duration(), real("[0, inf)")})), "[time, factor] each")},
     {},
     ""}};

struct Clock {
  double steps_per_epoch;
  int64_t total_steps;
  int64_t operator()(const Value& duration) const {
    return as_duration(duration).steps(steps_per_epoch, total_steps);
  }
};

void read_points(Schedule& schedule, const Value& points, const Clock& steps) {
  if (points.list().size() > Schedule::kMaxPoints)
    throw error_at(points.mark(), "points", cat("at most ", Schedule::kMaxPoints, " are taken"));
  for (const Value& point : points.list()) {
    const SchedulePoint next{steps(point.list()[0]), static_cast<float>(point.list()[1].as_real())};
    if (schedule.points > 0 && next.step <= schedule.point[schedule.points - 1].step)
      throw error_at(point.mark(), "points", "each comes later than the one before it");
    schedule.point[schedule.points++] = next;
  }
}

}  // namespace

Schedule as_schedule(const Value& value, double steps_per_epoch, int64_t total_steps) {
  using Kind = Schedule::Kind;
  constexpr std::pair<std::string_view, Kind> kKinds[] = {
      {"constant", Kind::constant},  {"linear", Kind::linear},           {"cosine", Kind::cosine},
      {"step", Kind::step},          {"exponential", Kind::exponential}, {"cyclic", Kind::cyclic},
      {"piecewise", Kind::piecewise}};
  const Choice choice = as_choice(value);
  const Clock steps{steps_per_epoch, total_steps};
  Schedule schedule;
  for (const auto& [name, kind] : kKinds)
    if (choice.name == name) schedule.kind = kind;
  schedule.warmup = steps(choice.option("warmup"));
  schedule.start = steps(choice.option("start"));
  for (const char* key : {"over", "every", "period"})
    if (const Value* span = choice.options.find(key))
      schedule.span = std::max<int64_t>(1, steps(*span));
  const auto read = [&](const char* key, float& to) {
    if (const Value* number = choice.options.find(key)) to = static_cast<float>(number->as_real());
  };
  read("from", schedule.from);
  read("to", schedule.to);
  read("by", schedule.by);
  read("ramp", schedule.ramp);
  if (const Value* points = choice.options.find("points")) read_points(schedule, *points, steps);
  const bool ends = schedule.kind == Kind::linear || schedule.kind == Kind::cosine;
  if (ends && schedule.warmup >= schedule.span)
    throw error_at(value.mark(), choice.name,
                   cat("a warm-up of ", schedule.warmup, " steps does not end within the ",
                       schedule.span, " steps of the schedule"));
  return schedule;
}

}  // namespace latent
