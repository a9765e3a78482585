// Losses by name, so that passes name none of them.
#pragma once

#include <string>
#include <string_view>

#include "core/graph/op.h"

namespace latent {

/// The ops made of one loss of a prediction o against a target x, both [rows, ...].
struct LossFamily {
  std::string name;
  AnyOp forward;   ///< (o, x) -> [rows]
  AnyOp gradient;  ///< (g [rows], o, x) -> g times d forward / d o, as o
  AnyOp (*with_gradient)(
      double scale);  ///< (o, x) -> forward, and gradient for g = scale: one pass over memory
};

void register_loss(LossFamily family);
/// The family whose `forward` equals op, or nullptr.
const LossFamily* loss_of_forward(const AnyOp& op);

/// Throws the op's error unless o and x are reals of one type [rows, ...].
void require_loss_types(std::string_view op, Types in, const Type& o, const Type& x);

}  // namespace latent
