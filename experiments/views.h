// A model at work on rows of any number: in batches on the device, through the weights that lie in a store.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/plan/program.h"
#include "models/training.h"

namespace latent {

class Views {
 public:
  static constexpr int64_t kBatch = 256;  ///< rows a program runs on

  /// Both live longer. `averaged`: with the moving averages of the weights.
  Views(const Model& model, Store& store, bool averaged = false);

  /// Scaled rows -> codes [rows, code...]; codes -> means; scaled rows -> means [rows, target...]; all f32. Throws
  /// UserError on another width.
  HostTensor run(View view, const HostTensor& rows);

  /// One number for each scaled row, whose draws are those of `seed` (see score_graph).
  std::vector<double> scores(const std::string& score, const HostTensor& rows, uint64_t seed);

  std::shared_ptr<Device> device() const { return store_.shared_device(); }

 private:
  HostTensor in_batches(const std::string& key, const std::string& input, const Shape& out,
                        const HostTensor& rows);

  const Model& model_;
  Store& store_;
  bool averaged_;
  std::map<std::string, std::unique_ptr<Program>> programs_;
};

}  // namespace latent
