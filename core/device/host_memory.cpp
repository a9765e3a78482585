#include "core/device/host_memory.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "core/base/error.h"
#include "core/device/sanitizer.h"

namespace latent {

namespace {

class OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(std::string what) : what_(std::move(what)) {}
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  std::string what_;
};

constexpr size_t kAlignment = 256;

}  // namespace

void throw_out_of_memory(size_t bytes, const char* device) {
  throw OutOfMemory(cat(device, ": cannot allocate ", bytes, " bytes"));
}

void* allocate_host(size_t bytes, const char* device) {
  if (bytes > SIZE_MAX - kAlignment) throw_out_of_memory(bytes, device);
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  void* p = std::aligned_alloc(kAlignment, rounded == 0 ? kAlignment : rounded);
  if (p == nullptr) throw_out_of_memory(bytes, device);
  asan::poison(static_cast<char*>(p) + bytes, rounded - bytes);
  return p;
}

void release_host(void* p) noexcept { std::free(p); }

void move_host(void* to, const void* from, size_t bytes) {
  if (bytes > 0) std::memmove(to, from, bytes);
}

}  // namespace latent
