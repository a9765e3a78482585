// Errors. A UserError is the user's to mend (exit code 2); every other exception is ours (exit code
// 1).
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace latent {

/// The arguments, streamed one after the other: `cat("rows ", 3)` is "rows 3".
template <class... Ts>
std::string cat(const Ts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// What the user gave is wrong. The message says where (file, line, key, row) and what to do.
class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An op was applied to types it does not take: "op: why, types".
class GraphError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Ctrl-C or SIGTERM: state is saved, the process leaves with exit code 130.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace latent
