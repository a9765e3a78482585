// The simulated GPU as a device: host memory that it keeps account of.
#pragma once

#include "core/device/backend.h"

#if defined(LATENT_GPU_SIMT)

#include <memory>
#include <vector>

#include "core/device/device.h"
#include "core/device/live_memory.h"

namespace latent {
inline namespace LATENT_BACKEND {

class SimtDevice final : public Device {
 public:
  std::string name() const override { return "simt"; }
  std::string description() const override;
  bool gpu() const override { return true; }

  void* allocate(size_t bytes) override;
  void release(void* p) noexcept override;
  void upload(void* to, const void* from, size_t bytes) override;
  void download(void* to, const void* from, size_t bytes) override;
  void copy(Stream& stream, void* to, const void* from, size_t bytes) override;
  Stream& stream(int lane = 0) override;
  void synchronize() override {}
  void poison(void* p, size_t bytes) override { memory_.poison(p, bytes); }
  void unpoison(void* p, size_t bytes) override { memory_.unpoison(p, bytes); }

  LiveMemory& memory() { return memory_; }

 private:
  LiveMemory memory_;
  std::vector<std::unique_ptr<Stream>> streams_;
};

}  // namespace LATENT_BACKEND
}  // namespace latent

#endif
