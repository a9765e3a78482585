// Ops that can add what flows to the same value from elsewhere: (inputs...) -> y, ... becomes (inputs..., more) -> y + more,
// ..., which spares an addition its launch and its way through memory. A pass puts them in.
#pragma once

#include <optional>

#include "core/graph/op.h"

namespace latent {

/// The op that adds its last input to output 0, where op has one.
using FindAdding = std::optional<AnyOp> (*)(const AnyOp& op);
void register_adding(FindAdding find);
/// Nothing where no such op is known.
std::optional<AnyOp> adding(const AnyOp& op);

/// For ops with a member `adds`, false in those that do not add.
template <class Op>
struct RegisterAdding {
  RegisterAdding() { register_adding(find); }
  static std::optional<AnyOp> find(const AnyOp& op) {
    const Op* plain = op.as<Op>();
    if (!plain || plain->adds) return std::nullopt;
    Op result = *plain;
    result.adds = true;
    return AnyOp(result);
  }
};

}  // namespace latent
