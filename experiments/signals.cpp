#include "experiments/signals.h"

#include <pthread.h>

#include <atomic>

namespace latent {
namespace {

std::atomic<bool> requested = false, ends = false;

sigset_t both() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

void wait_for_signals() {
  const sigset_t set = both();
  int signal = 0;
  while (sigwait(&set, &signal) == 0 && !ends) {
    if (requested.exchange(true)) {
      std::signal(signal, SIG_DFL);
      pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
      std::raise(signal);
    }
  }
}

}  // namespace

SignalScope::SignalScope() {
  const sigset_t set = both();
  pthread_sigmask(SIG_BLOCK, &set, &before_);
  waiter_ = std::thread(wait_for_signals);
}

SignalScope::~SignalScope() {
  ends = true;
  pthread_kill(waiter_.native_handle(), SIGTERM);  // to this thread alone
  waiter_.join();
  ends = false;
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool stop_requested() { return requested; }

}  // namespace latent
