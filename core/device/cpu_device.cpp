#include "core/device/cpu_device.h"

#include <omp.h>

#include "core/base/error.h"
#include "core/device/cpu_isa.h"
#include "core/device/host_memory.h"
#include "core/device/sanitizer.h"

namespace latent {

CpuDevice::CpuDevice() { stream_.device = this; }

std::string CpuDevice::description() const {
  const int threads = omp_get_max_threads();
  return cat(threads, threads == 1 ? " thread, " : " threads, ", cpu_isa_name());
}

void* CpuDevice::allocate(size_t bytes) { return allocate_host(bytes, "cpu"); }

void CpuDevice::release(void* p) noexcept { release_host(p); }

void CpuDevice::upload(void* to, const void* from, size_t bytes) { move_host(to, from, bytes); }

void CpuDevice::download(void* to, const void* from, size_t bytes) { move_host(to, from, bytes); }

void CpuDevice::copy(Stream&, void* to, const void* from, size_t bytes) {
  move_host(to, from, bytes);
}

Stream& CpuDevice::stream(int) { return stream_; }

void CpuDevice::poison(void* p, size_t bytes) { asan::poison(p, bytes); }

void CpuDevice::unpoison(void* p, size_t bytes) { asan::unpoison(p, bytes); }

}  // namespace latent
