// A model: the six parts of an autoencoder, made from the `model` section of a resolved configuration.
// It holds no graph; each view (autoencoder, encoder, decoder) is built into the graph that wants it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/report/layer_row.h"
#include "models/bottleneck.h"
#include "models/likelihood.h"

namespace latent {

class Model {
 public:
  /// `config` is the resolved `model` section, `row` the shape of an example, `target` that of what the output must
  /// match where it is not the example. Throws UserError naming part and reason.
  Model(const Value& config, const Shape& row, uint64_t seed, const Shape& target = {});

  /// x [rows, row...] -> the code; leaves the tap "code".
  Code encode(Build& build, Var x) const;
  /// code [rows, code...] -> what the likelihood takes [rows, output...]; leaves the tap "output".
  Var decode(Build& build, Var code) const;

  const Likelihood& likelihood() const { return *likelihood_; }
  /// `bce`, `bernoulli`...: the likelihood's name in the configuration.
  const Value& config() const { return config_; }
  const Shape& row_shape() const { return row_; }
  const Shape& target_shape() const { return target_; }
  const Shape& code_shape() const;
  /// The row's, and the likelihood's values of an element behind it where there are several.
  Shape output_shape() const;
  std::vector<Parameter> parameters() const;
  /// Its layers in order, for tables and diagrams; the first row is the input.
  std::vector<LayerRow> table() const;

 private:
  void add_brought_penalty();
  void make_decoder(LayerContext context);
  void check_names() const;
  std::vector<const Layer*> layers() const;

  Value config_;
  Shape row_, target_;
  Layers encoder_, decoder_;
  std::unique_ptr<Bottleneck> bottleneck_;  ///< none: the encoder's last output is the code
  std::unique_ptr<Layer> output_;           ///< none: the decoder's last layer is the output
  std::unique_ptr<Likelihood> likelihood_;
};

}  // namespace latent
