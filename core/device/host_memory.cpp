#include "core/device/host_memory.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

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
constexpr size_t kHugePage = size_t{2} << 20;

/// Rows gathered from all over a data set would otherwise miss the TLB one by one.
void ask_for_huge_pages([[maybe_unused]] void* p, [[maybe_unused]] size_t bytes) {
#if defined(__linux__)
  madvise(p, bytes, MADV_HUGEPAGE);  // a hint: refused, all is as before
#endif
}

}  // namespace

void throw_out_of_memory(size_t bytes, const char* device) {
  throw OutOfMemory(cat(device, ": cannot allocate ", bytes, " bytes"));
}

void* allocate_host(size_t bytes, const char* device) {
  const size_t unit = bytes > kHugePage / 2 ? kHugePage : kAlignment;
  if (bytes > SIZE_MAX - unit) throw_out_of_memory(bytes, device);
  const size_t rounded = (bytes + unit - 1) / unit * unit;
  void* p = std::aligned_alloc(unit, rounded == 0 ? unit : rounded);
  if (p == nullptr) throw_out_of_memory(bytes, device);
  if (unit == kHugePage) ask_for_huge_pages(p, rounded);
  asan::poison(static_cast<char*>(p) + bytes, rounded - bytes);
  return p;
}

void release_host(void* p) noexcept { std::free(p); }

void move_host(void* to, const void* from, size_t bytes) {
  if (bytes > 0) std::memmove(to, from, bytes);
}

}  // namespace latent
