#include "experiments/runner.h"

#include <cmath>

#include "core/data/rows_file.h"

namespace latent {

Runner::Runner(const std::filesystem::path& weights, std::shared_ptr<Device> device)
    : saved_(read_saved_model(weights)),
      model_(std::make_unique<Model>(saved_.model, saved_.row, saved_.seed, saved_.target)),
      store_(std::move(device)),
      views_(*model_, store_) {
  store_.declare(view_graph(*model_, View::autoencoder, Views::kBatch));
  load_weights(weights, store_, *model_);
}

RowReader Runner::scaled(const StoredRows& rows) const {
  if (rows.count() == 0 || rows.width() != elements(saved_.row))
    throw UserError(cat("the rows are ", to_string(rows.type()), ", the model takes rows of ",
                        to_string(saved_.row)));
  // A missing value scales to 0.
  const bool filled = !saved_.data.at("missing").is("refuse");
  return {rows, saved_.shift, saved_.scale, filled};
}

HostTensor Runner::in_units(const HostTensor& rows) const {
  HostTensor out = rows;
  const auto shift = saved_.target_shift.as<float>(), scale = saved_.target_scale.as<float>();
  const auto values = out.as<float>();
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = values[i] / scale[i % scale.size()] + shift[i % shift.size()];
  return out;
}

}  // namespace latent
