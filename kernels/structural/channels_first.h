// Between our order of a map's elements, channels last, and PyTorch's, channels first.
#pragma once

#include "core/graph/op.h"

namespace latent {

/// x [..., height, width, channels] -> [..., channels, height, width]; inverse: back. Each is the other's adjoint.
struct ChannelsFirst {
  static constexpr const char* name = "channels_first";
  bool inverse = false;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 0); }
  bool operator==(const ChannelsFirst&) const = default;
};

}  // namespace latent
