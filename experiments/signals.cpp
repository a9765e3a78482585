#include "experiments/signals.h"

#include <csignal>

namespace latent {
namespace {

volatile std::sig_atomic_t requested = 0;

void on_signal(int signal) {
  if (requested) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  requested = 1;
}

}  // namespace

SignalScope::SignalScope() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

SignalScope::~SignalScope() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool stop_requested() { return requested != 0; }

}  // namespace latent
