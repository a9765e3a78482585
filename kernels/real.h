// Ops over real tensors: one body for f32 and, on the CPU, f64.
#pragma once

#include <string_view>
#include <utility>

#include "core/graph/op.h"

namespace latent {

/// Throws the op's error unless there are `count` inputs, all f32 or all f64.
inline void require_reals(std::string_view op, Types in, size_t count) {
  if (in.size() != count) throw op_error(op, cat("takes ", count, " inputs"), in);
  for (const Type& t : in)
    if (t.dtype != in[0].dtype || (t.dtype != DType::f32 && t.dtype != DType::f64))
      throw op_error(op, "takes f32 or f64, all the same", in);
}

/// `body(args, T{})` with T = float or double, as `dtype` says.
template <class Body>
Kernel real_kernel(DType dtype, Body body, size_t workspace = 0) {
  if (dtype == DType::f64)
    return {.run = [body](const Args& args) { body(args, double{}); }, .workspace = workspace};
  return {.run = [body](const Args& args) { body(args, float{}); }, .workspace = workspace};
}

}  // namespace latent
