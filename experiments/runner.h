// A trained model from a file at work: rows in, codes or reconstructions out.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "experiments/checkpoint.h"
#include "experiments/views.h"

namespace latent {

class Runner {
 public:
  /// Loads a weights file.
  Runner(const std::filesystem::path& weights, std::shared_ptr<Device> device);

  const SavedModel& saved() const { return saved_; }
  const Model& model() const { return *model_; }

  /// Rows in the data's units (any dtype, [rows, ...] with the row's number of elements), scaled as they are read; they
  /// live longer. Throws UserError where they do not fit the model.
  RowReader scaled(const StoredRows& rows) const;
  /// The inverse, for reconstructions: in the units of what the output matches.
  HostTensor in_units(const HostTensor& scaled) const;

  /// Scaled rows -> codes [rows, code...]; codes -> means; scaled rows -> means. Throws UserError on another width.
  HostTensor run(View view, const RowReader& rows) { return views_.run(view, rows); }

  /// A parameter's values.
  HostTensor parameter(const std::string& name) const { return store_.read(name); }
  Store& store() { return store_; }
  Views& views() { return views_; }

 private:
  SavedModel saved_;
  std::unique_ptr<Model> model_;
  Store store_;
  Views views_;
};

}  // namespace latent
