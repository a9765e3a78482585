#include "core/config/duration.h"

#include <algorithm>
#include <cmath>

#include "core/config/scalar.h"

namespace latent {

int64_t Duration::steps(double steps_per_epoch, int64_t total_steps) const {
  double exact = amount;
  if (unit == Unit::epochs) exact = amount * steps_per_epoch;
  if (unit == Unit::percent) exact = amount / 100 * static_cast<double>(total_steps);
  // 0.1 * 10 and the like: a rounding error is not a step.
  return static_cast<int64_t>(std::ceil(exact - 1e-6));
}

std::optional<Duration> parse_duration(std::string_view text) {
  const size_t end = std::min(text.find_first_not_of("0123456789.eE+-"), text.size());
  // "10 epochs": the `e` of the unit stands behind a blank, that of an exponent does not.
  std::string_view unit = text.substr(end);
  if (!unit.empty() && unit[0] == ' ') unit.remove_prefix(1);
  if (unit != "%" && unit != "epochs" && unit != "epoch") return std::nullopt;
  if (unit != "%" && text[end] != ' ') return std::nullopt;
  try {
    const Value number = read_plain(std::string(text.substr(0, end)), {});
    if (!number.is(Value::Kind::integer) && !number.is(Value::Kind::real)) return std::nullopt;
    return Duration{unit == "%" ? Duration::Unit::percent : Duration::Unit::epochs,
                    number.as_real()};
  } catch (const UserError&) {
    return std::nullopt;
  }
}

Duration as_duration(const Value& value) {
  if (value.is(Value::Kind::integer))
    return {Duration::Unit::steps, static_cast<double>(value.as_int())};
  if (value.is(Value::Kind::string))
    if (const auto duration = parse_duration(value.as_string())) return *duration;
  throw error_at(value.mark(), "",
                 cat("is `", to_flow(value), "`, allowed: steps (500), `10 epochs` or `5 %`"));
}

Value to_value(const Duration& duration, Mark mark) {
  if (duration.unit == Duration::Unit::steps)
    return Value(static_cast<int64_t>(duration.amount), std::move(mark));
  const bool whole = duration.amount == std::floor(duration.amount) && duration.amount < 1e15;
  const std::string number =
      whole ? std::to_string(static_cast<int64_t>(duration.amount)) : real_text(duration.amount);
  return Value(number + (duration.unit == Duration::Unit::epochs ? " epochs" : " %"),
               std::move(mark));
}

}  // namespace latent
