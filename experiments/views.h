// A model at work on rows of any number: in batches on the device, through the weights that lie in a store.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/data/stored_rows.h"
#include "core/plan/program.h"
#include "models/training.h"

namespace latent {

/// Rows as a model takes them: scaled, f32, read a batch at a time. What they are read from lives longer.
class RowReader {
 public:
  /// They are scaled already.
  RowReader(const HostTensor& scaled) : scaled_(&scaled) {}  // NOLINT: implicit by design
  /// (x - shift) scale; a NaN becomes 0 where `filled`.
  RowReader(const StoredRows& rows, const HostTensor& shift, const HostTensor& scale,
            bool filled = false)
      : rows_(&rows), shift_(&shift), scale_(&scale), filled_(filled) {}

  Type type() const { return scaled_ ? scaled_->type : rows_->type(); }
  int64_t count() const { return scaled_ ? scaled_->type.shape.at(0) : rows_->count(); }
  /// The rows [first, first + n).
  void read(int64_t first, int64_t n, std::span<float> out) const;

 private:
  const HostTensor* scaled_ = nullptr;
  const StoredRows* rows_ = nullptr;
  const HostTensor *shift_ = nullptr, *scale_ = nullptr;
  bool filled_ = false;
};

class Views {
 public:
  static constexpr int64_t kBatch = 256;  ///< rows a program runs on

  /// Both live longer. `averaged`: with the moving averages of the weights.
  Views(const Model& model, Store& store, bool averaged = false);

  /// Scaled rows -> codes [rows, code...]; codes -> means; scaled rows -> means [rows, target...]; all f32. Throws
  /// UserError on another width.
  HostTensor run(View view, const RowReader& rows);

  /// One number for each scaled row, whose draws are those of `seed` (see score_graph).
  std::vector<double> scores(const std::string& score, const RowReader& rows, uint64_t seed);

  std::shared_ptr<Device> device() const { return store_.shared_device(); }

 private:
  HostTensor in_batches(const std::string& key, const std::string& input, const Shape& out,
                        const RowReader& rows);

  const Model& model_;
  Store& store_;
  bool averaged_;
  std::map<std::string, std::unique_ptr<Program>> programs_;
};

}  // namespace latent
