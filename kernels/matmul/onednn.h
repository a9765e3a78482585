// What files that call oneDNN share. Only these include it.
#pragma once

#if defined(LATENT_ONEDNN)
#include <oneapi/dnnl/dnnl.hpp>
#include <span>

#include "core/base/error.h"
#include "core/device/device.h"
#include "core/device/library_time.h"

namespace latent {

inline void check(dnnl_status_t status, const char* what) {
  if (status != dnnl_success) throw std::runtime_error(cat("oneDNN ", what, ": status ", status));
}

/// A device's engine and stream; a CPU stream holds no state, so that threads may share it.
struct OneDnn {
  explicit OneDnn(Device& device)
      : engine(dnnl::engine::kind::cpu, 0), stream(engine), time(device.slot<LibraryTime>()) {}

  /// By the C interface: the C++ one builds a map and a vector at each call.
  void execute(const dnnl::primitive& primitive, std::span<const dnnl_exec_arg_t> args,
               const char* what) {
    const LibraryCall call(time);
    check(dnnl_primitive_execute(primitive.get(), stream.get(), static_cast<int>(args.size()),
                                 args.data()),
          what);
  }

  dnnl::engine engine;
  dnnl::stream stream;
  LibraryTime& time;
};

}  // namespace latent
#endif
