// A fiber: a stack of its own on which a thread of a simulated block runs, stops and goes on.
#pragma once

#include "core/device/backend.h"

#if defined(LATENT_GPU_SIMT)

#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace latent {
inline namespace LATENT_BACKEND {
namespace simt {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Lets the next resume() call entry(argument). A fiber that had not finished is forgotten.
  void start(void (*entry)(void*), void* argument);
  /// Runs the fiber until it suspends (true) or its entry returns (false), which must not throw.
  bool resume();
  /// Called on the fiber: back to resume().
  void suspend();

 private:
#if defined(__x86_64__)
  using Context = void*;  ///< the stack pointer; all else lies on the stack
#else
  using Context = ucontext_t;
#endif

  static void main();
  void switch_to_caller(bool for_good);

  std::byte* stack_ = nullptr;
  Context self_{}, caller_{};
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  bool alive_ = false;
  // What AddressSanitizer is told at each switch.
  void *fake_stack_ = nullptr, *caller_fake_stack_ = nullptr;
  const void* caller_bottom_ = nullptr;
  size_t caller_size_ = 0;
};

}  // namespace simt
}  // namespace LATENT_BACKEND
}  // namespace latent

#endif
