#include "core/report/run_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <stdexcept>

#include "core/base/error.h"
#include "core/io/atomic_file.h"

namespace latent {
namespace {

Json number(double v) { return std::isfinite(v) ? Json(v) : Json(nullptr); }

double number_from(const Json& json) {
  if (json.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (!json.is_number())
    throw std::invalid_argument("metrics: " + json.dump() + " is not a number");
  return json.get<double>();
}

Json whole_or_real(double v) {
  return v == std::floor(v) && std::abs(v) < 1e15 ? Json(static_cast<int64_t>(v)) : number(v);
}

[[noreturn]] void fail(const std::filesystem::path& path, const char* what) {
  throw UserError(cat(path.string(), ": ", what, ": ", std::strerror(errno)));
}

MetricsLine line_from(const Json& json) {
  return {number_from(json.at("epoch")), json.at("step").get<int64_t>(),
          metrics_from_json(json.at("train")), metrics_from_json(json.at("validation"))};
}

}  // namespace

Json to_json(const Metrics& metrics) {
  Json out = Json::object();
  for (const auto& [name, value] : metrics) {
    const MetricAddress address = parse_metric(name);
    if (address.row.empty()) {
      out[name] = number(value);
    } else {
      out[address.row][address.metric] = number(value);
    }
  }
  return out;
}

Metrics metrics_from_json(const Json& json) {
  if (!json.is_object()) throw std::invalid_argument("metrics: " + json.dump() + " is not a map");
  Metrics out;
  for (const auto& [name, value] : json.items()) {
    if (value.is_object()) {
      for (const auto& [inner, number] : value.items())
        out.emplace_back(name + "." + inner, number_from(number));
    } else {
      out.emplace_back(name, number_from(value));
    }
  }
  return out;
}

Json to_json(const MetricsLine& line) {
  return {{"epoch", whole_or_real(line.epoch)},
          {"step", line.step},
          {"train", to_json(line.train)},
          {"validation", to_json(line.validation)}};
}

JsonLines::JsonLines(const std::filesystem::path& path, int64_t keep) : path_(path), size_(keep) {
  file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) fail(path_, "cannot be written");
  struct stat info {};
  const bool known = ::fstat(file_, &info) == 0;
  if (known && info.st_size >= keep && ::ftruncate(file_, keep) == 0) return;
  ::close(file_);
  if (known && info.st_size < keep)
    throw UserError(cat(path_.string(), ": holds ", info.st_size,
                        " bytes, the checkpoint was written at ", keep,
                        "; start again with --overwrite"));
  fail(path_, "cannot be cut to the checkpoint's length");
}

JsonLines::~JsonLines() { ::close(file_); }

void JsonLines::append(const Json& line) {
  const std::string text = line.dump() + "\n";
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(file_, text.data() + done, text.size() - done);
    if (n < 0 && errno != EINTR) fail(path_, "cannot be written");
    if (n > 0) done += static_cast<size_t>(n);
  }
  size_ += static_cast<int64_t>(text.size());
}

void JsonLines::sync() {
  if (::fsync(file_) != 0) fail(path_, "cannot be written");
}

std::vector<MetricsLine> read_metrics(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) throw UserError(cat(path.string(), ": cannot be read"));
  std::vector<MetricsLine> lines;
  for (std::string text; std::getline(in, text);) {
    try {
      lines.push_back(line_from(Json::parse(text)));
    } catch (const std::exception& e) {
      throw UserError(
          cat(path.string(), ":", lines.size() + 1, ": not a line of metrics: ", e.what()));
    }
  }
  return lines;
}

Json to_json(const RunResult& result) {
  Json metrics = Json::object(), versions = Json::object(), rows = Json::object();
  for (const auto& split : result.metrics) metrics[split.split] = to_json(split.values);
  for (const auto& [name, version] : result.versions) versions[name] = version;
  for (const auto& [split, count] : result.rows) rows[split] = count;
  return {{"metrics", metrics},
          {"weights", result.weights},
          {"epochs", whole_or_real(result.epochs)},
          {"steps", result.steps},
          {"parameters", result.parameters},
          {"seconds", number(result.seconds)},
          {"examples_per_second", number(result.examples_per_second)},
          {"device", result.device},
          {"versions", versions},
          {"commit", result.commit},
          {"data", {{"sha256", result.data_sha256}, {"rows", rows}}}};
}

void write_summary(const std::filesystem::path& path, const RunResult& result) {
  write_file_atomically(path, to_json(result).dump(2) + "\n");
}

RunResult read_summary(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) throw UserError(cat(path.string(), ": cannot be read"));
  try {
    const Json json = Json::parse(in);
    RunResult out;
    for (const auto& [split, values] : json.at("metrics").items())
      out.metrics.push_back({split, metrics_from_json(values)});
    out.weights = json.at("weights");
    out.epochs = number_from(json.at("epochs"));
    out.steps = json.at("steps");
    out.parameters = json.at("parameters");
    out.seconds = number_from(json.at("seconds"));
    out.examples_per_second = number_from(json.at("examples_per_second"));
    out.device = json.at("device");
    for (const auto& [name, version] : json.at("versions").items())
      out.versions.emplace_back(name, version);
    out.commit = json.at("commit");
    out.data_sha256 = json.at("data").at("sha256");
    for (const auto& [split, count] : json.at("data").at("rows").items())
      out.rows.emplace_back(split, count.get<int64_t>());
    return out;
  } catch (const std::exception& e) {
    throw UserError(cat(path.string(), ": not a run's summary: ", e.what()));
  }
}

}  // namespace latent
