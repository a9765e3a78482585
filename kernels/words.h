// Ops that move values without looking at them: one body for each element size.
#pragma once

#include "core/graph/op.h"

namespace latent {

/// `body(args, W{})` with W an unsigned integer as wide as an element of `dtype`.
template <class Body>
Kernel word_kernel(DType dtype, Body body) {
  switch (size_of(dtype)) {
    case 1:
      return {.run = [body](const Args& args) { body(args, uint8_t{}); }};
    case 2:
      return {.run = [body](const Args& args) { body(args, uint16_t{}); }};
    case 4:
      return {.run = [body](const Args& args) { body(args, uint32_t{}); }};
    default:
      return {.run = [body](const Args& args) { body(args, uint64_t{}); }};
  }
}

}  // namespace latent
