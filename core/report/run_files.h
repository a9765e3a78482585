// The files of a run folder that hold numbers: metrics.jsonl, timing.jsonl, summary.json. A number
// that is not finite is written as null and read back as NaN.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/report/metrics.h"

namespace latent {

using Json = nlohmann::ordered_json;

/// {"mse": 1, "pca": {"mse": 2}} from ("mse", 1), ("pca.mse", 2). Only trivial rows become objects:
/// the dot in another name stays a part of it.
Json to_json(const Metrics& metrics);
/// The inverse. Throws std::invalid_argument on anything but numbers, nulls and objects of these.
Metrics metrics_from_json(const Json& json);

/// A line of metrics.jsonl. No times: equal runs give equal files.
struct MetricsLine {
  double epoch = 0;  ///< whole numbers are written without a point
  int64_t step = 0;
  Metrics train, validation;
};
Json to_json(const MetricsLine& line);

/// A file of JSON lines that grows during a run and can be cut back to a checkpoint's length.
class JsonLines {
 public:
  /// Opens or makes `path` and cuts it to its first `keep` bytes. Throws UserError when it cannot
  /// be written or holds less.
  explicit JsonLines(const std::filesystem::path& path, int64_t keep = 0);
  ~JsonLines();
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;

  /// Writes one line, each double with the digits that give it back exactly, in one write call.
  void append(const Json& line);
  /// On the disk when this returns: before a checkpoint names size().
  void sync();
  int64_t size() const { return size_; }

 private:
  std::filesystem::path path_;
  int file_ = -1;
  int64_t size_ = 0;
};

/// All lines of a metrics.jsonl. Throws UserError naming file and line where one is damaged.
std::vector<MetricsLine> read_metrics(const std::filesystem::path& path);

/// What a finished run is: the content of summary.json.
struct RunResult {
  std::vector<SplitMetrics> metrics;
  std::string weights = "last";  ///< last | best: whose metrics these are
  double epochs = 0;
  int64_t steps = 0;
  int64_t parameters = 0;
  double seconds = 0;              ///< of training and validation
  double examples_per_second = 0;  ///< of training
  std::string device;
  std::vector<std::pair<std::string, std::string>> versions;
  std::string commit;
  std::string data_sha256;
  std::vector<std::pair<std::string, int64_t>> rows;  ///< of each split
};
Json to_json(const RunResult& result);

/// Written under a temporary name, synced, renamed.
void write_summary(const std::filesystem::path& path, const RunResult& result);
/// Throws UserError naming the file when it is not a summary.json.
RunResult read_summary(const std::filesystem::path& path);

}  // namespace latent
