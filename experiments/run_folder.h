// A run's folder: whose run it holds, how far it is, and that one process alone writes to it.
#pragma once

#include <filesystem>

#include "core/config/value.h"

namespace latent {

class RunFolder {
 public:
  enum class State { fresh, unfinished, finished };

  /// What the folder at `path` holds for this configuration. Throws UserError when another run is there (with the keys that
  /// differ) unless `overwrite`.
  RunFolder(std::filesystem::path path, const Value& config, const std::string& data_sha256,
            bool overwrite);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  State state() const { return state_; }

  /// Makes the folder, takes it for this process and writes config.yaml; under `overwrite` an old run is removed first.
  /// Throws UserError when it cannot be written or another process has it.
  void open();

 private:
  std::filesystem::path path_;
  const Value& config_;
  bool overwrite_;
  State state_ = State::fresh;
  int lock_ = -1;
};

}  // namespace latent
