// Memory of the devices that live on the host.
#pragma once

#include <cstddef>

namespace latent {

/// 256-byte aligned, uninitialised. Throws OutOfMemory.
void* allocate_host(size_t bytes, const char* device);
void release_host(void* p) noexcept;
/// Copies; of no bytes, the pointers may be null.
void move_host(void* to, const void* from, size_t bytes);

/// Throws the std::bad_alloc that Device::allocate promises.
[[noreturn]] void throw_out_of_memory(size_t bytes, const char* device);

}  // namespace latent
