// What the code is: from the encoder's last value to what the decoder gets.
#pragma once

#include <functional>
#include <memory>

#include "models/layer.h"

namespace latent {

/// A code of a batch of rows. Where it is drawn, an example may have several samples.
struct Code {
  Var value;  ///< [rows * samples, code...], what the decoder gets: row r is of example r / samples
  Var mean;   ///< [rows, code...], the code where nothing is drawn: what metrics and views show
  int64_t samples = 1;
  Var kl;          ///< [rows], nats: KL(q(z|x) || p(z)) of a drawn code; else empty
  Var log_ratio;   ///< [rows * samples], nats: log p(z) - log q(z|x) of each sample; else empty
  Var mu, logvar;  ///< [rows, units], of a Gaussian code; else empty
  Var gaussian;    ///< [rows, 2 units], both of them, means first; else empty

  /// v [rows * samples] -> its mean over the samples of each row [rows].
  Var over_samples(Var v) const;
};

class Bottleneck : public Layer {
 public:
  /// x [rows, in...] -> the code; leaves its taps. Draws only where the build has a seed.
  virtual Code encode(Build& build, Var x) const = 0;
  Var apply(Build& build, Var x) const final { return encode(build, x).value; }
  /// A penalty that belongs to the code: added with weight 1 unless the YAML names it; "" for none.
  virtual std::string brings() const { return ""; }
  /// Called once with the layer behind the decoder, nullptr where there is none.
  virtual void see_output(const Layer*) {}

 protected:
  using Layer::Layer;
};

using MakeBottleneck =
    std::function<std::unique_ptr<Bottleneck>(const Choice&, const LayerContext&)>;

/// Registers the YAML name with its options and how it is made.
struct RegisterBottleneck {
  RegisterBottleneck(ChoiceSpec spec, MakeBottleneck make);
};

/// nullptr for `identity`: the encoder's last output is the code.
std::unique_ptr<Bottleneck> make_bottleneck(const Choice& choice, const LayerContext& context);

}  // namespace latent
