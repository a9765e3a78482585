// Losses by their ops, so that passes name none of them, and what the types of all losses have in common.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "core/graph/op.h"

namespace latent {

/// What belongs to one loss (o, x, ...) -> [rows].
struct LossOps {
  AnyOp gradient;  ///< (g [rows], o, x, ...) -> g times d loss / d o, as o
  /// (o, x, ...) -> the loss, and its gradient for g = scale: one pass over memory.
  std::function<AnyOp(double scale)> with_gradient;
};

/// The ops of a loss where `forward` is that loss.
using FindLoss = std::optional<LossOps> (*)(const AnyOp& forward);
void register_loss(FindLoss find);
/// Nothing where no loss is known as `forward`.
std::optional<LossOps> loss_ops(const AnyOp& forward);

/// For losses with members `gradient()` and `with_gradient(scale)`.
template <class Loss>
struct RegisterLossOps {
  RegisterLossOps() { register_loss(find); }
  static std::optional<LossOps> find(const AnyOp& forward) {
    const Loss* loss = forward.as<Loss>();
    if (!loss) return std::nullopt;
    return LossOps{.gradient = loss->gradient(), .with_gradient = [loss = *loss](double scale) {
                     return AnyOp(loss.with_gradient(scale));
                   }};
  }
};

/// The rows of a loss. A target may have several predictions: row r of the prediction is compared
/// with row r / samples of the target.
struct LossRows {
  int64_t rows = 0, cols = 0;  ///< of the prediction, in elements of the target
  int64_t samples = 1;
  bool weighted = false;
};
/// Types of a loss: o [rows, X...] (or [rows, X..., values] where an element is predicted by
/// several values), x [rows / samples, X...] and, where there is one, the weight, alike x. Throws the
/// op's error on others.
LossRows loss_rows(std::string_view op, Types in, const Type& o, const Type& x, const Type* weight,
                   int64_t values = 1);

}  // namespace latent
