// For tests of readers: a folder that goes away, the error a user should see, and where real data lie.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/data/dataset.h"

namespace latent {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "latent-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// `f` throws a UserError whose message has both parts.
template <class F>
void expect_user_error(F&& f, const std::string& part, const std::string& other = "") {
  try {
    f();
    ADD_FAILURE() << "no error; wanted: " << part << " ... " << other;
  } catch (const UserError& e) {
    const std::string what = e.what();
    EXPECT_NE(what.find(part), what.npos) << what << "\nlacks: " << part;
    EXPECT_NE(what.find(other), what.npos) << what << "\nlacks: " << other;
  }
}

/// The data of a `data` section, in flow style without its braces, defaults as an experiment has them.
DataSet load_yaml(const std::string& section, uint64_t seed = 0);

/// $LATENT_DATA is another folder for as long as this lives.
class DataFolder {
 public:
  explicit DataFolder(const std::filesystem::path& path);
  ~DataFolder();
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

 private:
  std::optional<std::string> before_;
};

/// A file or folder in $LATENT_DATA; empty where it is not there.
std::filesystem::path real_data(const std::string& name);

/// Skips a test whose real data are not there, and says so.
#define NEED_REAL_DATA(name) \
  if (real_data(name).empty()) GTEST_SKIP() << "needs " << (name) << " in $LATENT_DATA"

}  // namespace latent
