#include "core/device/device.h"

#include <charconv>
#include <stdexcept>

#include "core/base/error.h"
#include "core/device/backend.h"
#include "core/device/cpu_device.h"
#include "core/device/grid.h"
#if defined(LATENT_GPU_CUDA)
#include "core/device/cuda_device.h"
#elif defined(LATENT_GPU_SIMT)
#include "core/device/simt_device.h"
#endif

namespace latent {

namespace {

/// On a host device work is done when the call returns.
class DoneFence final : public Fence {
 public:
  bool done() override { return true; }
  void wait() override {}
};

[[noreturn]] void unknown(const std::string& name) {
  throw UserError(cat("device '", name, "': is none of auto, cpu, cuda, cuda:N"));
}

#if defined(LATENT_GPU_CUDA)
/// N of "cuda:N", 0 for "cuda".
int cuda_index(const std::string& name) {
  if (name == "cuda") return 0;
  const char* end = name.data() + name.size();
  int index = 0;
  const auto [rest, error] = std::from_chars(name.data() + 5, end, index);
  if (error != std::errc() || rest != end || index < 0) unknown(name);
  return index;
}
#endif

}  // namespace

void Device::join(Stream&, Stream&) {}

std::unique_ptr<Fence> Device::fence(Stream&) { return std::make_unique<DoneFence>(); }

void Device::begin_capture(Stream&) { throw std::logic_error(name() + ": does not capture"); }

std::unique_ptr<CapturedGraph> Device::end_capture(Stream&) {
  throw std::logic_error(name() + ": does not capture");
}

void check_grid(const Grid& g) {
  if (g.threads < 32 || g.threads > 1024 || g.threads % 32 != 0)
    throw std::logic_error(cat("launch: ", g.threads, " threads a block"));
  if (g.blocks < 0 || g.blocks > INT32_MAX || g.blocks_y < 0 || g.blocks_y > 65535 ||
      g.blocks_z < 0 || g.blocks_z > 65535) {
    throw std::logic_error(
        cat("launch: ", g.blocks, " x ", g.blocks_y, " x ", g.blocks_z, " blocks"));
  }
}

std::shared_ptr<Device> open_device(const std::string& name) {
  if (name == "cpu" || (name == "auto" && gpu_count() == 0)) return std::make_shared<CpuDevice>();
#if defined(LATENT_GPU_CUDA)
  if (name == "auto") return open_cuda(0);
  if (name == "cuda" || name.starts_with("cuda:")) return open_cuda(cuda_index(name));
#else
#if defined(LATENT_GPU_SIMT)
  if (name == "auto") return std::make_shared<CpuDevice>();
  if (name == "simt") return std::make_shared<SimtDevice>();
#endif
  if (name == "cuda" || name.starts_with("cuda:")) {
    throw UserError(cat("device '", name,
                        "': this latent was built without CUDA; install the CUDA toolkit and ",
                        "configure again with -DLATENT_GPU=cuda, or take device: cpu"));
  }
#endif
  unknown(name);
}

int gpu_count() {
#if defined(LATENT_GPU_CUDA)
  return cuda_count();
#elif defined(LATENT_GPU_SIMT)
  return 1;
#else
  return 0;
#endif
}

}  // namespace latent
