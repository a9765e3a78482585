#include "models/corruption.h"

#include <algorithm>

#include "core/config/choice.h"
#include "core/config/schedules.h"

namespace latent {
namespace {

using namespace schema;
using Kind = Corruption::Kind;

const RegisterOptions shared{
    "corruption",
    {option("schedule", choice_of(Family::schedule), "constant", "factor on rate or std"),
     option("emphasis", tuple_of({real("[0, inf)"), real("[0, inf)")}), "[1, 1]",
            "what an element counts in the likelihood: where it was struck, and where not "
            "(Vincent et al. 2010)")}};

Option rate() {
  return required("rate", real("[0, 1)"), "probability of an element, each on its own");
}

const RegisterChoice masking{Family::corruption,
                             {"masking", "elements become 0 (after scaling)", {rate()}, {}, ""}};
const RegisterChoice dropout{
    Family::corruption,
    {"dropout", "masking that divides the others by 1 - rate", {rate()}, {}, ""}};
const RegisterChoice salt_and_pepper{
    Family::corruption,
    {"salt_and_pepper",
     "half of the struck elements become the least value, half the greatest: 0 and 1 where the "
     "scaled train rows lie in [0, 1], else the ends of their range",
     {rate()},
     {},
     ""}};
const RegisterChoice gaussian{Family::corruption,
                              {"gaussian",
                               "a normal of mean 0 is added to every element",
                               {required("std", real("[0, inf)"), "its deviation, in scaled units"),
                                option("clip", words({"none"}) | tuple_of({real(), real()}), "none",
                                       "[lo, hi]: then cut to this range, in scaled units")},
                               {},
                               ""}};

constexpr std::pair<std::string_view, Kind> kKinds[] = {{"masking", Kind::masking},
                                                        {"gaussian", Kind::gaussian},
                                                        {"salt_and_pepper", Kind::salt_and_pepper},
                                                        {"dropout", Kind::dropout}};

/// One choice or a list of them.
std::vector<Choice> choices(const Value& corruption) {
  std::vector<Choice> all;
  if (corruption.is("none")) return all;
  if (!corruption.is(Value::Kind::list)) return {as_choice(corruption)};
  for (const Value& element : corruption.list()) all.push_back(as_choice(element));
  return all;
}

void read_clip(const Value& clip, Corruption& c) {
  if (clip.is("none")) return;
  const std::vector<double> ends = clip.as_reals();
  c.lo = static_cast<float>(ends[0]);
  c.hi = static_cast<float>(ends[1]);
  if (!(c.lo < c.hi))
    throw error_at(clip.mark(), "model.corruption.gaussian.clip",
                   cat("is [", ends[0], ", ", ends[1], "]: the first must be the smaller one"));
}

Corruption make_corruption(const Choice& choice) {
  Corruption c;
  c.kind =
      std::ranges::find(kKinds, choice.name, &std::pair<std::string_view, Kind>::first)->second;
  c.amount = static_cast<float>(choice.option(c.kind == Kind::gaussian ? "std" : "rate").as_real());
  if (c.kind == Kind::gaussian) read_clip(choice.option("clip"), c);
  // What counts 0 is left out of means, as what nobody knows; an emphasis of 0 leaves it in.
  constexpr double kLeast = 1e-20;
  const std::vector<double> emphasis = choice.option("emphasis").as_reals();
  c.struck = static_cast<float>(std::max(emphasis[0], kLeast));
  c.spared = static_cast<float>(std::max(emphasis[1], kLeast));
  return c;
}

}  // namespace

std::vector<Corruption> make_corruptions(const Value& corruption, const Build& build, float lo,
                                         float hi, const TrainingLength* length) {
  std::vector<Corruption> all;
  for (const Choice& choice : choices(corruption)) {
    Corruption c = make_corruption(choice);
    if (c.kind == Kind::salt_and_pepper) c.lo = lo, c.hi = hi;
    if (length)
      c.schedule =
          as_schedule(choice.option("schedule"), length->steps_per_epoch, length->total_steps);
    // By its place: one more behind it changes nobody's draws.
    c.stream = build.stream(all.empty() ? "corruption" : cat("corruption.", all.size()));
    all.push_back(c);
  }
  return all;
}

void check_corruptions(const Value& corruption) {
  const std::vector<Choice> all = choices(corruption);
  if (all.size() > CorruptedGather::kMaxCorruptions)
    throw error_at(corruption.mark(), "model.corruption",
                   cat("at most ", CorruptedGather::kMaxCorruptions, " are taken"));
  for (const Choice& choice : all) make_corruption(choice);
}

void check_corruptions_of_sparse_rows(const Value& corruption) {
  for (const Choice& choice : choices(corruption)) {
    const Corruption c = make_corruption(choice);
    if (c.kind != Kind::masking && c.kind != Kind::dropout)
      throw error_at(
          corruption.mark(), "model.corruption",
          cat(choice.name,
              " fills the zeros of sparse rows: masking and dropout leave them as they are"));
  }
  if (has_emphasis(corruption))
    throw error_at(corruption.mark(), "model.corruption.emphasis",
                   "weighs every element, and the rows are sparse");
}

bool has_corruption(const Value& corruption) { return !choices(corruption).empty(); }

bool has_emphasis(const Value& corruption) {
  return std::ranges::any_of(choices(corruption), [](const Choice& choice) {
    const Corruption c = make_corruption(choice);
    return c.struck != 1 || c.spared != 1;
  });
}

}  // namespace latent
