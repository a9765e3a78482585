// Recurrent layers (lstm, gru, rnn) over series [time, channels], and `repeat`, which makes a series of a vector.
#pragma once

#include "models/initialiser.h"
#include "models/layer.h"

namespace latent {

/// A kind of cell: its name in the YAML, its gates, and its walk over all steps (kernels/ops.h).
struct RecurrentKind {
  const char* name;
  int64_t gates;
  Var (*walk)(Var x, Var w, Var b, int64_t steps);
};

/// h of every step [time, units], or of the last [units]. Weights and their names are those of PyTorch's modules of one
/// layer: weight_ih_l0 [gates * units, channels], weight_hh_l0 [gates * units, units], bias_ih_l0, bias_hh_l0.
class Recurrent final : public Layer {
 public:
  struct Options {
    int64_t units = 1;
    bool last = true;      ///< only the last step's h
    bool reverse = false;  ///< from the end of the series; what comes out still lines up with it
    bool bias = true;
    bool frozen = false;
    Init weight_ih = {}, weight_hh = {}, bias_ih = {}, bias_hh = {};
  };

  /// Throws UserError where context.in is no series.
  Recurrent(const LayerContext& context, const RecurrentKind& kind, Options options,
            std::string name = "");

  Var apply(Build& build, Var x) const override;
  const Shape& output_shape() const override { return out_; }
  std::vector<Parameter> parameters() const override;
  std::string description() const override;
  bool keeps_width() const override { return true; }
  Layers same_width(const Mirrored& mirrored) const override;

 private:
  Parameter parameter(const std::string& suffix, Shape shape, const Init& init) const;

  LayerContext context_;
  const RecurrentKind& kind_;
  Options options_;
  Shape out_;
};

/// The same vector at each of `length` steps.
class Repeat final : public Layer {
 public:
  Repeat(const LayerContext& context, int64_t length, std::string name = "");
  Var apply(Build& build, Var x) const override;
  const Shape& output_shape() const override { return out_; }
  std::string description() const override { return "repeat"; }

 private:
  Shape out_;
};

}  // namespace latent
