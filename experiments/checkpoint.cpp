#include "experiments/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "core/base/version.h"
#include "core/config/parse.h"
#include "core/io/safetensors.h"

namespace latent {
namespace {

constexpr const char* kFormat = "1";

std::string text_of(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

double real_of(const std::string& text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// The fields of a RunState by their metadata keys: one list for reading and writing.
template <class State, class Integer, class Real, class Flag>
void for_each_field(State& s, Integer integer, Real real, Flag flag) {
  integer("run.step", s.step);
  integer("run.metrics_bytes", s.metrics_bytes);
  integer("run.timing_bytes", s.timing_bytes);
  integer("run.validations", s.validations);
  integer("run.validated_step", s.validated_step);
  real("run.best", s.best);
  integer("run.best_step", s.best_step);
  integer("run.since_best", s.since_best);
  real("run.seconds", s.seconds);
  flag("run.finished", s.finished);
}

std::string build_of(const Store& store) {
  std::string text = cat(version(), " ", store.device().name(), " ", store.device().description());
  for (const auto& [library, v] : library_versions()) text += cat(" ", library, " ", v);
  return text;
}

const std::string& metadata(const SafeTensors& file, const std::string& key,
                            const std::filesystem::path& path) {
  auto found = file.metadata.find(key);
  if (found == file.metadata.end())
    throw UserError(cat(path.string(), ": is not one of ours: its metadata have no ", key));
  return found->second;
}

std::string renamed(const std::string& name,
                    const std::vector<std::pair<std::string, std::string>>& rename) {
  for (const auto& [from, to] : rename) {
    if (name == from) return to;
    if (name.starts_with(from + ".")) return to + name.substr(from.size());
  }
  return name;
}

}  // namespace

void save_weights(const std::filesystem::path& path, const Experiment& e, const Store& store) {
  SafeTensors file;
  for (const Parameter& p : e.model->parameters()) {
    const bool averaged = e.averaged() && !p.frozen;
    for (NamedTensor& t : to_file(p, store.read(averaged ? cat(kAverages, ".", p.name) : p.name)))
      file.tensors.push_back(std::move(t));
  }
  file.tensors.push_back({names::kShift, e.data.shift});
  file.tensors.push_back({names::kScale, e.data.scale});
  file.metadata = {{"latent.format", kFormat},
                   {"latent.data", to_yaml(e.config.at("data"))},
                   {"latent.model", to_yaml(e.config.at("model"))},
                   {"latent.row", to_string(e.data.shape)},
                   {"latent.seed", std::to_string(e.seed)}};
  if (e.data.targets) {
    file.tensors.push_back({names::kTargetShift, e.data.targets->shift});
    file.tensors.push_back({names::kTargetScale, e.data.targets->scale});
    file.metadata["latent.target"] = to_string(e.data.targets->shape);
  }
  write_safetensors(path, file);
}

void save_state(const std::filesystem::path& path, const Experiment& e, const Store& store,
                const RunState& state) {
  SafeTensors file;
  for (const Role role : {Role::parameter, Role::state})
    for (const std::string& name : store.names(role))
      file.tensors.push_back({name, store.read(name)});
  file.metadata = {{"latent.format", kFormat},
                   {"latent.config", e.config_hash()},
                   {"latent.data", e.data.sha256},
                   {"latent.build", build_of(store)}};
  for_each_field(
      state, [&](const char* key, int64_t v) { file.metadata[key] = std::to_string(v); },
      [&](const char* key, double v) { file.metadata[key] = text_of(v); },
      [&](const char* key, bool v) { file.metadata[key] = v ? "true" : "false"; });
  write_safetensors(path, file);
}

RunState load_state(const std::filesystem::path& path, const Experiment& e, Store& store,
                    std::string* note) {
  const SafeTensors file = read_safetensors(path);
  const auto refuse = [&](const char* what) {
    throw UserError(cat(path.string(), ": holds the state of another ", what,
                        "; run with --overwrite to begin anew"));
  };
  if (metadata(file, "latent.format", path) != kFormat) refuse("format");
  if (metadata(file, "latent.config", path) != e.config_hash()) refuse("configuration");
  if (metadata(file, "latent.data", path) != e.data.sha256) refuse("data set");
  if (note && metadata(file, "latent.build", path) != build_of(store))
    *note =
        "the state was written by another build or device: the bits may differ from an "
        "uninterrupted run's";
  for (const auto& [name, tensor] : file.tensors)
    if (store.has(name)) store.write(name, tensor);
  for (const Role role : {Role::parameter, Role::state})
    for (const std::string& name : store.names(role))
      if (!file.find(name)) throw UserError(cat(path.string(), ": has no ", name));
  RunState state;
  for_each_field(
      state, [&](const char* key, int64_t& v) { v = std::stoll(metadata(file, key, path)); },
      [&](const char* key, double& v) { v = real_of(metadata(file, key, path)); },
      [&](const char* key, bool& v) { v = metadata(file, key, path) == "true"; });
  return state;
}

void load_weights(const std::filesystem::path& path, Store& store, const Model& model,
                  const std::vector<std::pair<std::string, std::string>>& rename) {
  const SafeTensors file = read_safetensors(path);
  std::map<std::string, const HostTensor*> given;
  for (const auto& [name, tensor] : file.tensors) given[renamed(name, rename)] = &tensor;
  for (const Parameter& p : model.parameters()) {
    if (!store.has(p.name)) continue;  // a view without that part
    std::vector<const HostTensor*> tensors;
    for (const auto& [name, type] : file_tensors(p)) {
      auto found = given.find(name);
      if (found == given.end())
        throw UserError(cat(path.string(), ": has no tensor ", name,
                            "; train.init.rename maps its names to ours"));
      tensors.push_back(found->second);
      if (tensors.back()->type != type)
        throw UserError(cat(path.string(), ": ", name, " is ", to_string(tensors.back()->type),
                            ", the model's is ", to_string(type)));
    }
    store.write(p.name, from_file(p, tensors));
  }
}

SavedModel read_saved_model(const std::filesystem::path& path) {
  const SafeTensors file = read_safetensors(path);
  SavedModel saved;
  saved.data = parse_yaml(metadata(file, "latent.data", path), path.string());
  saved.model = parse_yaml(metadata(file, "latent.model", path), path.string());
  saved.seed = std::stoull(metadata(file, "latent.seed", path));
  const auto shape = [&](const char* key) {
    return parse_yaml(metadata(file, key, path), path.string()).as_ints();
  };
  const auto tensor = [&](const char* name) {
    const HostTensor* found = file.find(name);
    if (!found) throw UserError(cat(path.string(), ": has no ", name));
    return *found;
  };
  const bool paired = file.metadata.contains("latent.target");
  saved.row = shape("latent.row");
  saved.target = paired ? shape("latent.target") : saved.row;
  saved.shift = tensor(names::kShift);
  saved.scale = tensor(names::kScale);
  saved.target_shift = paired ? tensor(names::kTargetShift) : saved.shift;
  saved.target_scale = paired ? tensor(names::kTargetScale) : saved.scale;
  return saved;
}

}  // namespace latent
