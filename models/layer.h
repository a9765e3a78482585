// A layer: from rows of one shape to rows of another. Registered by name, made from its YAML
// choice.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/config/choice.h"
#include "kernels/functions.h"
#include "models/build.h"

namespace latent {

/// How a mirrored layer's weights relate to those of the layer it mirrors.
enum class Tie {
  none,      ///< weights of its own
  weights,   ///< the same weights, transposed
  at_start,  ///< weights of its own that start as the other's, transposed
};

class Layer;
using Layers = std::vector<std::unique_ptr<Layer>>;

/// What a mirrored layer is made with.
struct Mirrored {
  std::string path;
  Shape out;  ///< of one row: what the mirrored layer was given
  const Layer* like =
      nullptr;  ///< the encoder's layer of that width, whose activation and bias it takes
  Tie tie = Tie::none;
  const Choice* given = nullptr;  ///< the output layer's own options, where the YAML gives them
  Shape in = {};                  ///< of one row: what it is given
  bool reverse = false;           ///< recurrent: what it makes is made from the end

  /// Path of the n-th layer behind the one at `path`.
  std::string path_behind(int n) const;
};

class Layer {
 public:
  virtual ~Layer() = default;
  Layer(const Layer&) = delete;

  /// x [rows, in...] -> [rows, out...]; leaves its taps.
  virtual Var apply(Build& build, Var x) const = 0;
  /// Shape of one output row.
  virtual const Shape& output_shape() const = 0;
  virtual std::vector<Parameter> parameters() const { return {}; }
  /// For the table: "dense relu".
  virtual std::string description() const = 0;

  /// Whether the layer has weights and so begins a block; pointwise layers belong to the block before.
  virtual bool begins_block() const { return true; }
  /// What the layer ends with; nullptr: nothing. A mirrored layer ends with that of its width.
  virtual const PointwiseFamily* activation() const { return nullptr; }
  /// The layer that undoes this one's change of shape; nullptr where none exists.
  virtual std::unique_ptr<Layer> adjoint(const Mirrored&) const { return nullptr; }
  /// Whether a decoder has this layer with its own width, not with that of what it was given: then `same_width` makes it,
  /// not `adjoint`, and what leads to the width before is another layer's.
  virtual bool keeps_width() const { return false; }
  virtual Layers same_width(const Mirrored&) const { return {}; }
  /// The same pointwise layer elsewhere, for a decoder's block; nullptr for layers that begin blocks.
  virtual std::unique_ptr<Layer> copy(const std::string& /*path*/, const Shape& /*in*/) const {
    return nullptr;
  }

  const std::string& path() const { return path_; }
  /// The `name:` of the YAML, or "".
  const std::string& name() const { return name_; }
  /// Leaves the layer's value at its addresses; suffix ".pre" for the value before the activation.
  void tap(Build& build, Var value, const std::string& suffix = "") const {
    build.taps[path_ + suffix] = value;
    if (!name_.empty()) build.taps[name_ + suffix] = value;
  }

 protected:
  explicit Layer(std::string path, std::string name = "")
      : path_(std::move(path)), name_(std::move(name)) {}

 private:
  std::string path_, name_;
};

/// What a layer is made with.
struct LayerContext {
  std::string path;             ///< "encoder.0": the prefix of its parameters
  Shape in;                     ///< of one row
  uint64_t seed = 0;            ///< of initial values
  const Value* init = nullptr;  ///< model.init, for layers without one of their own
};

using MakeLayer = std::function<std::unique_ptr<Layer>(const Choice&, const LayerContext&)>;

/// Registers the YAML name with its options and how it is made.
struct RegisterLayer {
  RegisterLayer(ChoiceSpec spec, MakeLayer make);
};

std::unique_ptr<Layer> make_layer(const Choice& choice, const LayerContext& context);

/// The `name:` of a layer's choice, "" where it has none.
std::string layer_name(const Choice& choice);

/// A list with every layer on its own: `{dense: [128, 64]}` is two.
Value spell_out_layers(const Value& list);
/// The layers of a spelt-out list, each on the one before. Paths are prefix.N.
Layers make_layers(const Value& list, const std::string& prefix, LayerContext context);

}  // namespace latent
