#include "core/config/experiment.h"

#include <algorithm>

#include "core/base/spelling.h"
#include "core/config/choice.h"
#include "core/config/files.h"
#include "core/config/parse.h"
#include "core/config/resolve.h"
#include "core/config/schema.h"
#include "core/config/sources.h"

namespace latent {
namespace {

namespace fs = std::filesystem;

/// The keys of a section, nullptr for what is replaced whole.
const std::vector<Option>* section_keys(const std::vector<Option>& keys, const std::string& name) {
  for (const Option& option : keys) {
    if (option.name != name) continue;
    if (option.domain.kind == Domain::Kind::record) return &option.domain.keys;
    for (const Domain& inner : option.domain.of)
      if (inner.kind == Domain::Kind::record) return &inner.keys;
  }
  return nullptr;
}

/// `over` laid on `base`: maps merge key by key; lists and choices are replaced whole.
void merge(Value& base, const Value& over, const std::vector<Option>& keys) {
  for (const auto& entry : over.entries()) {
    Value* old = base.find(entry.key);
    const bool maps = old && old->is(Value::Kind::map) && entry.value.is(Value::Kind::map);
    const std::vector<Option>* section = section_keys(keys, entry.key);
    if (maps && section) {
      merge(*old, entry.value, *section);
    } else if (maps && entry.key == "sweep") {
      merge(*old, entry.value, {});
    } else if (old) {
      *old = entry.value;
    } else {
      base.entries().push_back(entry);
    }
  }
}

void check_top_level(const Value& tree) {
  std::vector<std::string> names;
  for (const auto* keys : {&experiment_keys(), &file_keys()})
    for (const Option& option : *keys) names.push_back(option.name);
  for (const auto& entry : tree.entries()) {
    if (entry.key == "table" || entry.key == "page")
      throw error_at(entry.mark, entry.key, "tables and pages are not built yet");
    if (std::find(names.begin(), names.end(), entry.key) == names.end())
      throw error_at(
          entry.mark, entry.key,
          cat("unknown key; allowed: ", join(names, ", "), did_you_mean(entry.key, names)));
  }
}

/// `holders`: the files on the way here, each of which extends the next.
Value load_tree(const fs::path& file, std::vector<fs::path> holders) {
  Value tree = read_yaml(file);
  check_top_level(tree);
  holders.push_back(fs::weakly_canonical(file));
  const Value* extends = tree.find("extends");
  if (!extends || extends->is("none")) {
    tree.erase("extends");
    return tree;
  }
  if (!extends->is(Value::Kind::string))
    throw error_at(extends->mark(), "extends",
                   cat("is `", to_flow(*extends), "`, allowed: none | path"));
  const fs::path base_file = [&] {
    try {
      return resolve_path(extends->as_string(), file.parent_path());
    } catch (const UserError& e) {
      throw error_at(extends->mark(), "extends", e.what());
    }
  }();
  if (std::find(holders.begin(), holders.end(), fs::weakly_canonical(base_file)) != holders.end())
    throw error_at(extends->mark(), "extends", cat("`", extends->as_string(), "` extends itself"));
  Value base = load_tree(base_file, std::move(holders));
  tree.erase("extends");
  merge(base, tree, experiment_keys());
  base.set_mark(tree.mark());
  return base;
}

void set_missing(Value& map, const std::string& key, Value value) {
  if (!map.find(key)) map.set(key, std::move(value));
}

void default_path(Value& data) {
  const Value* source = data.find("source");
  if (data.find("path") || !source || !source->is(Value::Kind::string)) return;
  const ChoiceSpec* spec = find_choice(Family::source, source->as_string());
  if (!spec || !spec->unbuilt.empty()) return;
  switch (source_kind(spec->name)) {
    case SourceKind::embedded:
      data.set("path", "none");
      return;
    case SourceKind::fetched:
      data.set("path", spec->name);
      return;
    case SourceKind::file:
      throw error_at(source->mark(), "data.path",
                     cat("is missing: the file (or list of files) of source ", spec->name));
  }
}

/// Defaults that depend on other keys.
void fill_context(Value& tree, const std::string& name) {
  set_missing(tree, "name", Value(name, tree.mark()));
  if (Value* data = tree.find("data"); data && data->is(Value::Kind::map)) {
    default_path(*data);
    if (!data->find("validation")) {
      const Value* train = data->find("train");
      const bool rest = train && !train->is("rest");
      data->set("validation", rest ? Value("rest") : Value(0.1));
    }
    set_missing(*data, "train", "rest");
  }
  if (Value* train = tree.find("train"); train && train->is(Value::Kind::map)) {
    const Value* stop = train->find("stop");
    set_missing(*train, "keep", stop && !stop->is("none") ? "best" : "last");
  }
}

/// Keys that only some sources read; elsewhere a value other than the default is a mistake.
void check_source(const Value& data) {
  const std::string& source = data.at("source").as_string();
  const SourceKind kind = source_kind(source);
  const bool embedded = kind == SourceKind::embedded;
  const bool keyed = source == "npz" || source == "safetensors";
  const auto only = [&](const char* key, bool is_read, const char* of) {
    const std::vector<Option>& keys = *section_keys(experiment_keys(), "data");
    const auto option =
        std::find_if(keys.begin(), keys.end(), [&](const Option& o) { return o.name == key; });
    if (!is_read && data.at(key) != resolve_default(*option, key))
      throw error_at(data.at(key).mark(), cat("data.", key),
                     cat("is for ", of, ", and data.source is ", source));
  };
  for (const char* key : {"columns", "drop", "header", "delimiter"})
    only(key, source == "csv", "csv");
  for (const char* key : {"count", "data_seed"}) only(key, embedded, "embedded sources");
  only("key", keyed, "npz and safetensors");
  if (embedded && !data.at("path").is("none"))
    throw error_at(data.at("path").mark(), "data.path",
                   cat("is for files, and ", source, " is made by code"));
}

/// What no key can say alone.
void check_together(const Value& config) {
  const Value &data = config.at("data"), &train = config.at("train");
  check_source(data);
  std::vector<const Value*> lengths;
  for (const char* key : {"epochs", "steps", "examples"})
    if (!train.at(key).is("none")) lengths.push_back(&train.at(key));
  if (lengths.empty())
    throw error_at(train.mark(), "train",
                   "has no length; one of train.epochs, train.steps, train.examples is required");
  if (lengths.size() > 1)
    throw error_at(lengths[1]->mark(), "train",
                   "has two lengths; one of epochs, steps, examples is allowed");
  const Value &validation = data.at("validation"), &stop = train.at("stop");
  if (validation.is("rest") && data.at("train").is("rest"))
    throw error_at(data.mark(), "data", "of train and validation only one is the rest");
  if (stop.is("none")) return;
  if (validation.is("test"))
    throw error_at(stop.mark(), "train.stop",
                   "would choose by the test rows, since data.validation is `test`");
  if (validation.is("none") && stop.at("metric").as_string().starts_with("validation."))
    throw error_at(stop.mark(), "train.stop", "needs validation rows; data.validation is none");
}

void add_differences(const Value& a, const Value& b, const std::string& key,
                     std::vector<std::string>& all) {
  if (a == b) return;
  const std::string prefix = key.empty() ? "" : key + ".";
  if (a.is(Value::Kind::map) && b.is(Value::Kind::map)) {
    for (const auto& entry : a.entries()) {
      const Value* other = b.find(entry.key);
      if (other) {
        add_differences(entry.value, *other, prefix + entry.key, all);
      } else {
        all.push_back(prefix + entry.key);
      }
    }
    for (const auto& entry : b.entries())
      if (!a.find(entry.key)) all.push_back(prefix + entry.key);
    return;
  }
  const bool lists = a.is(Value::Kind::list) && b.is(Value::Kind::list);
  if (!lists || a.list().size() != b.list().size()) {
    all.push_back(key);
    return;
  }
  for (size_t i = 0; i < a.list().size(); ++i)
    add_differences(a.list()[i], b.list()[i], cat(prefix, i), all);
}

Value without_device(Value config) {
  config.erase("device");
  return config;
}

}  // namespace

Value load_tree(const fs::path& file) { return load_tree(file, {}); }

Value resolve_config(Value tree, const std::string& name) {
  check_top_level(tree);
  tree.erase("extends");
  tree.erase("sweep");
  fill_context(tree, name);
  Value config = resolve_keys(tree, experiment_keys(), "");
  check_together(config);
  return config;
}

std::string identity_hash(const Value& config) { return hash_of(without_device(config)); }

std::vector<std::string> differing_keys(const Value& a, const Value& b) {
  std::vector<std::string> all;
  add_differences(without_device(a), without_device(b), "", all);
  return all;
}

}  // namespace latent
