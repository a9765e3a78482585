#include "core/device/simt_device.h"

#if defined(LATENT_GPU_SIMT)

#include <cxxabi.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/device/host_memory.h"
#include "core/device/sanitizer.h"
#include "core/device/simt.h"
#include "core/device/simt_block.h"

namespace latent {
inline namespace LATENT_BACKEND {

std::string SimtDevice::description() const {
  return "CUDA sources on the host, for tests: every launch in two orders";
}

void* SimtDevice::allocate(size_t bytes) {
  void* p = allocate_host(bytes, "simt");
  memory_.add(p, bytes);
  return p;
}

void SimtDevice::release(void* p) noexcept {
  memory_.remove(p);
  release_host(p);
}

void SimtDevice::upload(void* to, const void* from, size_t bytes) { move_host(to, from, bytes); }

void SimtDevice::download(void* to, const void* from, size_t bytes) { move_host(to, from, bytes); }

void SimtDevice::copy(Stream&, void* to, const void* from, size_t bytes) {
  move_host(to, from, bytes);
}

Stream& SimtDevice::stream(int lane) {
  while (static_cast<int>(streams_.size()) <= lane) {
    streams_.push_back(std::make_unique<Stream>());
    streams_.back()->device = this;
    streams_.back()->gpu = true;
  }
  return *streams_[lane];
}

namespace simt {

namespace {

int& orders() {
  static int n = [] {
    const char* text = std::getenv("LATENT_SIMT_ORDERS");
    if (text == nullptr || std::strcmp(text, "2") == 0) return 2;
    if (std::strcmp(text, "1") == 0) return 1;
    throw UserError(cat("LATENT_SIMT_ORDERS='", text, "': is neither 1 nor 2"));
  }();
  return n;
}

std::string demangle(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  const std::string result = status == 0 ? text : name;
  std::free(text);
  return result;
}

void run_once(const Grid& g, const std::string& name, const void* kernel, SimtBlock::Body body,
              bool descending) {
  SimtBlock block(g, name, kernel, body, descending);
  const int64_t blocks = g.blocks * g.blocks_y * g.blocks_z;
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t b = descending ? blocks - 1 - i : i;
    block.run(b % g.blocks, b / g.blocks % g.blocks_y, b / g.blocks / g.blocks_y);
  }
}

}  // namespace

int set_orders(int n) { return std::exchange(orders(), n); }

void run(Stream& stream, const Grid& grid, const char* kernel_name, const void* kernel,
         void (*body)(const void* kernel, Thread& thread)) {
  check_grid(grid);
  auto* device = dynamic_cast<SimtDevice*>(stream.device);
  if (device == nullptr) throw std::logic_error("launch: the stream is not of a simt device");
  if (empty(grid)) return;
  ++stream.launches;
  LiveMemory& memory = device->memory();
  const std::string name = demangle(kernel_name);
  if (orders() == 1) {
    run_once(grid, name, kernel, body, false);
  } else {
    memory.save();
    run_once(grid, name, kernel, body, false);
    memory.swap();
    run_once(grid, name, kernel, body, true);
    if (const auto place = memory.difference())
      throw SimtError(cat("simt: ", name,
                          ": the result depends on the order of the threads, at byte ",
                          place->offset, " of an allocation of ", place->allocation_bytes));
  }
  if (const auto place = memory.dead_write())
    throw SimtError(cat("simt: ", name, ": a write to dead memory, at byte ", place->offset,
                        " of an allocation of ", place->allocation_bytes));
}

}  // namespace simt
}  // namespace LATENT_BACKEND
}  // namespace latent

#endif
