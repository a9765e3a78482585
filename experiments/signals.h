// Ctrl-C and SIGTERM ask a run to save and stop; a second one ends it at once.
#pragma once

namespace latent {

/// Installs the handlers while it lives.
class SignalScope {
 public:
  SignalScope();
  ~SignalScope();
  SignalScope(const SignalScope&) = delete;
};

/// Whether one has come.
bool stop_requested();

}  // namespace latent
