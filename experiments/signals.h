// Ctrl-C and SIGTERM ask a run to save and stop; a second one ends it at once.
#pragma once

#include <csignal>
#include <thread>

namespace latent {

/// While it lives, a thread of its own waits for both, and the thread that made it and those that this one makes have
/// them blocked: no handler may run on a thread that computes, since generated code may keep its stack pointer in the
/// heap (oneDNN's products for AVX do), where the kernel would write the handler's frame.
class SignalScope {
 public:
  SignalScope();
  ~SignalScope();
  SignalScope(const SignalScope&) = delete;

 private:
  sigset_t before_;
  std::thread waiter_;
};

/// Whether one has come.
bool stop_requested();

}  // namespace latent
