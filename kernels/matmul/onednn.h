// What files that call oneDNN share. Only these include it.
#pragma once

#if defined(LATENT_ONEDNN)
#include <oneapi/dnnl/dnnl.hpp>

#include "core/base/error.h"
#include "core/device/device.h"

namespace latent {

/// A device's engine and stream; a CPU stream holds no state, so that threads may share it.
struct OneDnn {
  explicit OneDnn(Device&) : engine(dnnl::engine::kind::cpu, 0), stream(engine) {}
  dnnl::engine engine;
  dnnl::stream stream;
};

inline void check(dnnl_status_t status, const char* what) {
  if (status != dnnl_success) throw std::runtime_error(cat("oneDNN ", what, ": status ", status));
}

}  // namespace latent
#endif
