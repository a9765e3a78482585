#include "experiments/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/spelling.h"
#include "core/config/experiment.h"
#include "core/config/parse.h"
#include "core/io/atomic_file.h"
#include "core/report/run_files.h"

namespace latent {
namespace {

namespace fs = std::filesystem;

/// The files that a run writes; nothing else in the folder is touched.
constexpr const char* kFiles[] = {"config.yaml",       "metrics.jsonl",    "timing.jsonl",
                                  "summary.json",      "last.safetensors", "best.safetensors",
                                  "state.safetensors", "report.html",      "figures"};

void refuse_other_run(const fs::path& path, const Value& config) {
  const Value there = read_yaml(path / "config.yaml");
  const std::vector<std::string> keys = differing_keys(there, config);
  if (keys.empty()) return;
  throw UserError(cat(path.string(), ": holds another run; different: ", join(keys, ", "),
                      ". --overwrite replaces it; another `name`, --out or --set goes beside it"));
}

}  // namespace

RunFolder::RunFolder(fs::path path, const Value& config, const std::string& data_sha256,
                     bool overwrite)
    : path_(std::move(path)), config_(config), overwrite_(overwrite) {
  if (overwrite || !fs::exists(path_ / "config.yaml")) return;
  refuse_other_run(path_, config);
  state_ = State::unfinished;
  if (!fs::exists(path_ / "summary.json")) return;
  const RunResult result = read_summary(path_ / "summary.json");
  if (result.data_sha256 != data_sha256)
    throw UserError(cat(path_.string(), ": was run on other data (sha256 ",
                        result.data_sha256.substr(0, 12), "..., now ", data_sha256.substr(0, 12),
                        "...); --overwrite replaces it"));
  state_ = State::finished;
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

void RunFolder::open() {
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) throw UserError(cat(path_.string(), ": cannot be made: ", error.message()));
  const fs::path file = path_ / ".lock";
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0)
    throw UserError(cat(path_.string(), ": cannot be written: ", std::strerror(errno)));
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0)
    throw UserError(cat(path_.string(), ": another process is running in it"));
  if (overwrite_)
    for (const char* name : kFiles) fs::remove_all(path_ / name);
  write_file_atomically(path_ / "config.yaml", to_yaml(config_));
}

}  // namespace latent
