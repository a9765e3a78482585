#include "experiments/runner.h"

#include <cmath>

#include "core/data/rows_file.h"

namespace latent {
namespace {

/// f(value, shift, scale) of every element; shift and scale have one value, or one for each element of a row.
template <class F>
HostTensor map_scaled(const HostTensor& rows, const HostTensor& by_shift,
                      const HostTensor& by_scale, F f) {
  HostTensor out = rows;
  const auto shift = by_shift.as<float>(), scale = by_scale.as<float>();
  const auto values = out.as<float>();
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = f(values[i], shift[i % shift.size()], scale[i % scale.size()]);
  return out;
}

}  // namespace

Runner::Runner(const std::filesystem::path& weights, std::shared_ptr<Device> device)
    : saved_(read_saved_model(weights)),
      model_(std::make_unique<Model>(saved_.model, saved_.row, saved_.seed, saved_.target)),
      store_(std::move(device)),
      views_(*model_, store_) {
  store_.declare(view_graph(*model_, View::autoencoder, Views::kBatch));
  load_weights(weights, store_, *model_);
}

HostTensor Runner::scaled(const HostTensor& rows) const {
  HostTensor x = to_f32(rows);
  const int64_t n = x.type.rank() > 0 ? x.type.shape[0] : 0;
  if (n == 0 || x.type.elements() / n != elements(saved_.row))
    throw UserError(cat("the rows are ", to_string(rows.type), ", the model takes rows of ",
                        to_string(saved_.row)));
  x.type.shape = saved_.row;
  x.type.shape.insert(x.type.shape.begin(), n);
  // A missing value scales to 0.
  const bool zero = !saved_.data.at("missing").is("refuse");
  return map_scaled(x, saved_.shift, saved_.scale, [&](float v, float shift, float scale) {
    return zero && std::isnan(v) ? 0 : (v - shift) * scale;
  });
}

HostTensor Runner::in_units(const HostTensor& rows) const {
  return map_scaled(rows, saved_.target_shift, saved_.target_scale,
                    [](float v, float shift, float scale) { return v / scale + shift; });
}

}  // namespace latent
