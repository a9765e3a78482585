// The Jacobian of a layer's value with respect to what the encoder is given, as rows of numbers in the graph.
#pragma once

#include <optional>

#include "kernels/functions.h"

namespace latent {

/// How much of a Jacobian is computed: `seeds` of one side, each carried through the network once.
struct JacobianSeeds {
  enum class Side {
    outputs,  ///< cotangents, pulled back
    inputs,   ///< tangents, pushed forward
  };
  Side side = Side::outputs;
  Var seeds;  ///< [count, rows, h...] of outputs, [count, rows, x...] of inputs
};

/// h = f(x W' + b): one dense layer between x and h.
struct DenseBetween {
  const PointwiseFamily* family = nullptr;  ///< of f
  Var a, w;                                 ///< before f [rows, units]; [units, inputs]
};
/// What stands between them in the graph; none where it is anything else.
std::optional<DenseBetween> dense_between(Var x, Var h);

/// ||dh/dx||_F^2 of each row in closed form.
Var squared_jacobian(const DenseBetween& layer);

/// Whether rows of h depend on other rows of x, through statistics of the batch: a row has no Jacobian of its own then.
bool mixes_rows(Var x, Var h);

/// Of v [rows, ...].
int64_t elements_of_row(Var v);
/// The side with fewer elements a row: where a whole Jacobian costs less, and where random seeds of it vary less.
JacobianSeeds::Side cheaper_side(Var x, Var h);
/// Every unit vector of that side: the whole Jacobian.
JacobianSeeds unit_seeds(Var x, Var h, JacobianSeeds::Side side);

/// seeds' dh/dx [count, rows, x...] or dh/dx seeds [count, rows, h...]. Rows must not depend on one another.
Var jacobian_products(Var x, Var h, const JacobianSeeds& seeds);

/// v [count, rows, ...] -> the sum of squares of each row [rows].
Var sum_squares_of_rows(Var v);

}  // namespace latent
