// AddressSanitizer, where the build has it.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define LATENT_ASAN 1
#include <sanitizer/asan_interface.h>
#else
#define LATENT_ASAN 0
#endif

namespace latent::asan {

inline void poison([[maybe_unused]] const void* p, [[maybe_unused]] size_t bytes) {
#if LATENT_ASAN
  ASAN_POISON_MEMORY_REGION(p, bytes);
#endif
}

inline void unpoison([[maybe_unused]] const void* p, [[maybe_unused]] size_t bytes) {
#if LATENT_ASAN
  ASAN_UNPOISON_MEMORY_REGION(p, bytes);
#endif
}

}  // namespace latent::asan
