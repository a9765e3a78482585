// The ops of the multinomial loss, for passes.
#pragma once

#include "core/graph/op.h"

namespace latent {

/// loss: (logits, x) -> [rows]; gradient: (h [..., rows], logits, x) -> of the logits.
struct MultinomialOps {
  AnyOp loss, gradient;
};
MultinomialOps multinomial_ops();      ///< x is an array, a weight behind it optional
MultinomialOps csr_multinomial_ops();  ///< x is ids, starts, columns, values

}  // namespace latent
