// A stretch of training: `500` (optimizer steps), `10 epochs` or `5 %` of the training.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/config/value.h"

namespace latent {

struct Duration {
  enum class Unit { steps, epochs, percent };
  Unit unit = Unit::steps;
  double amount = 0;

  /// The first step by which it has passed. An epoch of n rows in batches of B is n / B steps, not
  /// always whole.
  int64_t steps(double steps_per_epoch, int64_t total_steps) const;
  bool operator==(const Duration&) const = default;
};

/// "10 epochs", "1 epoch", "5 %", "5%"; nothing else. Steps are an integer in YAML, not text.
std::optional<Duration> parse_duration(std::string_view text);
/// Of a resolved tree; throws UserError on any other value.
Duration as_duration(const Value& value);
/// The normal form in YAML: 500, "10 epochs", "5 %".
Value to_value(const Duration& duration, Mark mark = {});

}  // namespace latent
