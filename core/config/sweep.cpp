// Sweeps, lists of seeds and overrides: one resolved, named run each.
#include <algorithm>
#include <map>

#include "core/base/sha256.h"
#include "core/base/spelling.h"
#include "core/config/domain.h"
#include "core/config/dotted.h"
#include "core/config/experiment.h"
#include "core/config/scalar.h"

namespace latent {
namespace {

namespace fs = std::filesystem;

/// One `path: value` of a sweep or of --set.
struct Setting {
  std::string path;
  Value value;
  Mark mark;          ///< of the path
  std::string label;  ///< its part of the folder's name; "" for none
};

struct Point {
  std::string name;
  std::vector<Setting> settings;
};

/// A value as part of a folder's name: what could end the name or leave the folder becomes `_`.
std::string in_folder_name(const Value& value, size_t position) {
  if (value.is(Value::Kind::list) || value.is(Value::Kind::map)) return cat("@", position);
  std::string text = value.is(Value::Kind::string) ? value.as_string() : to_flow(value);
  for (char& c : text) {
    const bool kept = std::isalnum(static_cast<unsigned char>(c)) ||
                      std::string_view("._+-%@").find(c) != std::string_view::npos;
    if (!kept) c = '_';
  }
  return text;
}

Setting setting(const std::string& path, Value value, Mark mark, size_t position) {
  // These have their own place in the folder's name, or none.
  const bool unnamed = path == "seed" || path == "device" || path == "name";
  std::string label = unnamed ? "" : path + "=" + in_folder_name(value, position);
  return {path, std::move(value), std::move(mark), std::move(label)};
}

std::vector<Point> grid(const Value& sweep) {
  std::vector<Point> points(1);
  for (const auto& [path, values, mark] : sweep.entries()) {
    if (path == "name") throw error_at(mark, "sweep.name", "a run's name cannot be swept");
    if (!values.is(Value::Kind::list) || values.list().empty())
      throw error_at(values.mark(), "sweep." + path,
                     cat("is `", to_flow(values), "`, allowed: a list of the values to take"));
    std::vector<Point> grown;
    for (const Point& point : points) {
      for (size_t i = 0; i < values.list().size(); ++i) {
        grown.push_back(point);
        grown.back().settings.push_back(setting(path, values.list()[i], mark, i));
      }
    }
    points = std::move(grown);
  }
  return points;
}

Point single_point(const Value& map, size_t position) {
  const std::string key = cat("sweep.", position);
  if (!map.is(Value::Kind::map))
    throw error_at(map.mark(), key, cat("is `", to_flow(map), "`, allowed: a map of dotted paths"));
  Point point;
  for (const auto& [path, value, mark] : map.entries()) {
    if (path != "name") {
      point.settings.push_back(setting(path, value, mark, position));
      continue;
    }
    constexpr const char* kName = "[A-Za-z0-9._+=@-]*[A-Za-z0-9_+=@-][A-Za-z0-9._+=@-]*";
    if (!value.is(Value::Kind::string) || !matches(value.as_string(), kName))
      throw error_at(value.mark(), key + ".name",
                     cat("is `", to_flow(value), "`, allowed: [A-Za-z0-9._+=@-]+"));
    point.name = value.as_string();
  }
  return point;
}

std::vector<Point> points_of(const Value* sweep) {
  if (!sweep || sweep->is("none")) return {Point{}};
  if (sweep->is(Value::Kind::map)) return grid(*sweep);
  if (!sweep->is(Value::Kind::list) || sweep->list().empty())
    throw error_at(sweep->mark(), "sweep",
                   cat("is `", to_flow(*sweep),
                       "`, allowed: none | map of dotted paths to lists | list of points"));
  std::vector<Point> points;
  for (size_t i = 0; i < sweep->list().size(); ++i)
    points.push_back(single_point(sweep->list()[i], i));
  return points;
}

Setting override_setting(const std::string& text) {
  Override given = read_override(text);
  const Mark mark{"--set " + given.path};
  if (given.path == "extends") throw error_at(mark, "", "a file says by itself what it extends");
  return setting(given.path, std::move(given.value), mark, 0);
}

/// Does a path that is set afterwards replace what was set before?
bool covers(const std::string& later, const std::string& earlier) {
  return earlier == later || earlier.starts_with(later + ".");
}

std::string folder_of(const std::string& name, const Point& point,
                      const std::vector<Setting>& overrides, int64_t seed) {
  std::vector<std::string> labels;
  if (!point.name.empty()) {
    labels.push_back(point.name);
  } else {
    for (const Setting& s : point.settings)
      if (!s.label.empty()) labels.push_back(s.label);
  }
  for (const Setting& s : overrides)
    if (!s.label.empty()) labels.push_back(s.label);
  std::string middle = join(labels, ",");
  // File systems take 255 bytes.
  if (middle.size() > 200) middle = middle.substr(0, 180) + "~" + sha256_hex(middle).substr(0, 12);
  return cat(name, middle.empty() ? "" : "/", middle, "/seed-", seed);
}

/// The seeds that a tree asks for; what is no integer is left for the reader to refuse.
std::vector<Value> seeds_of(const Value& tree) {
  const Value* seed = tree.find("seed");
  if (!seed) return {Value(0, tree.mark())};
  if (!seed->is(Value::Kind::list)) return {*seed};
  if (seed->list().empty()) throw error_at(seed->mark(), "seed", "is an empty list");
  return seed->list();
}

std::vector<RunSpec> runs_of(const fs::path& file, std::span<const std::string> texts) {
  Value tree = load_tree(file);
  std::vector<Setting> overrides;
  std::vector<std::string> set;  // their full paths
  for (const std::string& text : texts) {
    Setting s = override_setting(text);
    if (s.path == "sweep") {
      tree.set("sweep", s.value);
      continue;
    }
    set.push_back(set_path(tree, s.path, s.value, s.mark));
    // The last of several for one key names the folder.
    std::erase_if(overrides, [&](const Setting& other) { return other.path == s.path; });
    overrides.push_back(std::move(s));
  }
  const std::vector<Point> points = points_of(tree.find("sweep"));
  tree.erase("sweep");

  std::vector<RunSpec> runs;
  for (const Point& point : points) {
    Value swept = tree;
    for (const Setting& s : point.settings) {
      const std::string full = set_path(swept, s.path, s.value, s.mark);
      for (const std::string& earlier : set)
        if (covers(full, earlier))
          throw error_at(s.mark, "sweep." + s.path,
                         cat("would undo --set ", earlier, "; add --set sweep=none"));
    }
    for (const Value& seed : seeds_of(swept)) {
      Value one = swept;
      one.set("seed", seed);
      Value config = resolve_config(std::move(one), file.stem().string());
      const int64_t n = config.at("seed").as_int();
      std::string folder = folder_of(config.at("name").as_string(), point, overrides, n);
      runs.push_back({std::move(config), std::move(folder), n, file.string()});
    }
  }
  return runs;
}

}  // namespace

std::vector<RunSpec> load_experiment(const fs::path& file, std::span<const std::string> overrides) {
  return load_experiments(std::span(&file, 1), overrides);
}

std::vector<RunSpec> load_experiments(std::span<const fs::path> files,
                                      std::span<const std::string> overrides) {
  std::vector<RunSpec> all;
  std::map<std::string, std::string> file_of;
  for (const fs::path& file : files) {
    for (RunSpec& run : runs_of(file, overrides)) {
      const auto [known, added] = file_of.emplace(run.folder, run.file);
      if (!added)
        throw UserError(cat(run.file, ": two runs would lie in ", run.folder,
                            known->second == run.file ? "" : ", the other of " + known->second,
                            "; give them names of their own"));
      all.push_back(std::move(run));
    }
  }
  return all;
}

}  // namespace latent
