#include "tests/data_files.h"

#include <cstdlib>

#include "core/config/parse.h"
#include "core/config/resolve.h"
#include "core/config/schema.h"

namespace latent {
namespace {

const std::vector<Option>& data_keys() {
  for (const Option& option : experiment_keys())
    if (option.name == "data") return option.domain.keys;
  throw std::logic_error("the schema has no data");
}

void set_missing(Value& data, const char* key, const Value& value) {
  if (!data.find(key)) data.set(key, value);
}

}  // namespace

DataSet load_yaml(const std::string& text, uint64_t seed) {
  Value given = parse_yaml("{" + text + "}", "test.yaml");
  const std::string source = given.at("source").as_string();
  set_missing(given, "path", Value(source == "strokes" ? "none" : source));
  set_missing(given, "validation", given.find("train") ? Value("rest") : Value(0.1));
  set_missing(given, "train", Value("rest"));
  return load_data(resolve_keys(given, data_keys(), "data"), seed);
}

DataFolder::DataFolder(const std::filesystem::path& path) {
  if (const char* value = std::getenv("LATENT_DATA")) before_ = value;
  setenv("LATENT_DATA", path.c_str(), 1);
}

DataFolder::~DataFolder() {
  if (before_)
    setenv("LATENT_DATA", before_->c_str(), 1);
  else
    unsetenv("LATENT_DATA");
}

std::filesystem::path real_data(const std::string& name) {
  const char* folder = std::getenv("LATENT_DATA");
  std::filesystem::path path = folder ? std::filesystem::path(folder) / name : "";
  return std::filesystem::exists(path) ? path : std::filesystem::path();
}

}  // namespace latent
