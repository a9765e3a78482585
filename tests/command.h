// For tests of the whole program: runs the binary as a user does, in a folder of its own, and keeps what it says.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/data_files.h"

namespace latent {

using Environment = std::map<std::string, std::string>;

struct Output {
  int code = -1;  ///< exit code; minus the signal that ended the process
  std::string out, err;
};

/// A running `latent ARGUMENTS...`. Threads wait passively, so that many processes share a machine; $LATENT_DATA is empty.
class Process {
 public:
  Process(const std::filesystem::path& folder, const std::vector<std::string>& arguments,
          const Environment& environment = {});
  ~Process();
  Process(const Process&) = delete;

  bool running();
  /// Waits until `done` holds or the process has ended; false when it has.
  template <class F>
  bool wait_until(F done) {
    while (running()) {
      if (done()) return true;
      pause();
    }
    return false;
  }
  void signal(int number);
  pid_t id() const { return pid_; }
  Output wait();

 private:
  static void pause();

  std::filesystem::path out_, err_;
  pid_t pid_ = -1;
  int status_ = 0;
};

/// The bytes of a file; "" where there is none.
std::string bytes_of(const std::filesystem::path& file);

/// A small experiment on the embedded data; each member is the YAML behind its key.
struct TinyExperiment {
  std::string name = "tiny";
  std::string device = "cpu";
  std::string data = "{source: strokes, count: 300}";
  std::string model =
      "{encoder: [{dense: 16, activation: relu}], bottleneck: {dense: 8, activation: relu}, "
      "likelihood: bce}";
  std::string train = "{epochs: 3, batch_size: 32}";
  std::string rest = "figures: []\n";

  std::string yaml() const;
};

/// A test in a temporary folder, whose runs lie in runs/.
class CommandTest : public ::testing::Test {
 protected:
  using Path = std::filesystem::path;

  Output latent(const std::vector<std::string>& arguments, const Environment& environment = {});
  /// `latent run FILE ARGUMENTS...`, expected to end well.
  Output run(const std::string& file, std::vector<std::string> arguments = {},
             const Environment& environment = {});
  /// Whether the binary has CUDA and finds a device.
  bool has_gpu();
  /// Writes a file in the folder.
  void write_text(const std::string& file, const std::string& text) const;
  void write(const std::string& file, const TinyExperiment& experiment) const {
    write_text(file, experiment.yaml());
  }
  Path at(const std::string& path) const { return folder_ / path; }
  bool exists(const std::string& path) const { return std::filesystem::exists(at(path)); }

  TemporaryFolder folder_;
};

/// The process was refused: exit code 2 and one line of error that holds all parts.
void expect_refused(const Output& output, const std::vector<std::string>& parts);

}  // namespace latent
