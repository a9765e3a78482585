#include "core/data/scaling.h"

#include <algorithm>
#include <cmath>

#include "core/data/moments.h"

namespace latent {
namespace {

HostTensor vector_of(const std::vector<double>& values) {
  HostTensor out(Type{DType::f32, {static_cast<int64_t>(values.size())}});
  std::ranges::transform(values, out.as<float>().begin(),
                         [](double v) { return static_cast<float>(v); });
  return out;
}

Scaling scaling(const std::vector<double>& shift, const std::vector<double>& scale) {
  return {vector_of(shift), vector_of(scale)};
}

/// 1 / length, rounded so that length itself does not come out above 1.
double inverse(double length) {
  float scale = static_cast<float>(1 / length);
  while (static_cast<float>(length) * scale > 1) scale = std::nextafter(scale, 0.0f);
  return scale;
}

Scaling standard(const Moments& m) {
  std::vector<double> scale;
  for (size_t j = 0; j < m.mean.size(); ++j) {
    const double deviation = std::sqrt(m.squares[j] / std::max(m.count[j], 1.0));
    scale.push_back(m.hi[j] > m.lo[j] && deviation > 0 ? 1 / deviation : 1);
  }
  return scaling(m.mean, scale);
}

Scaling minmax(const Moments& m) {
  std::vector<double> shift, scale;
  for (size_t j = 0; j < m.mean.size(); ++j) {
    const bool any = m.count[j] > 0;
    shift.push_back(any ? m.lo[j] : 0);
    const float length = static_cast<float>(any ? m.hi[j] : 0) - static_cast<float>(shift[j]);
    scale.push_back(length > 0 ? inverse(length) : 1);
  }
  return scaling(shift, scale);
}

Scaling rms(const Moments& m) {
  double norm = 0;  // the mean squared norm of a row
  for (size_t j = 0; j < m.mean.size(); ++j)
    if (m.count[j] > 0) norm += m.squares[j] / m.count[j] + m.mean[j] * m.mean[j];
  return scaling({0}, {norm > 0 ? std::sqrt(static_cast<double>(m.mean.size()) / norm) : 1});
}

}  // namespace

Scaling no_scaling() { return scaling({0}, {1}); }

Scaling fit_scaling(const StoredRows& train, Scale how, double unit) {
  const bool integers = train.is_bytes();
  if (train.is_sparse() && (how == Scale::standard || how == Scale::minmax))
    throw UserError(cat("data.scale: ", how == Scale::standard ? "standard" : "minmax",
                        " shifts every element, and the zeros of sparse rows would be filled: take "
                        "none, unit or rms"));
  if (how == Scale::none || (train.is_sparse() && how == Scale::automatic)) return no_scaling();
  if (integers && how == Scale::automatic) how = Scale::unit;
  if (integers && how == Scale::unit) return scaling({0}, {inverse(unit)});
  const Scaling as_it_is = no_scaling();
  const Moments m = moments_of(train, as_it_is.shift, as_it_is.scale);
  const bool in_unit = std::ranges::min(m.lo) >= 0 && std::ranges::max(m.hi) <= 1;
  switch (how) {
    case Scale::unit:
      if (in_unit)
        throw UserError(cat("data.scale: unit divides by ", unit,
                            ", and the data are reals in [0, 1] already: take none"));
      return scaling({0}, {inverse(unit)});
    case Scale::minmax:
      return minmax(m);
    case Scale::rms:
      return rms(m);
    case Scale::automatic:
      return in_unit ? no_scaling() : standard(m);
    default:
      return standard(m);
  }
}

}  // namespace latent
