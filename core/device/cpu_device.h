// The CPU as a device. Its threads are OpenMP's.
#pragma once

#include "core/device/device.h"

namespace latent {

class CpuDevice final : public Device {
 public:
  CpuDevice();

  std::string name() const override { return "cpu"; }
  std::string description() const override;
  bool gpu() const override { return false; }

  void* allocate(size_t bytes) override;
  void release(void* p) noexcept override;
  void upload(void* to, const void* from, size_t bytes) override;
  void download(void* to, const void* from, size_t bytes) override;
  void copy(Stream& stream, void* to, const void* from, size_t bytes) override;
  Stream& stream(int lane = 0) override;
  void synchronize() override {}
  void poison(void* p, size_t bytes) override;
  void unpoison(void* p, size_t bytes) override;

 private:
  Stream stream_;
};

}  // namespace latent
