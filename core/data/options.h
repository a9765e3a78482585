// The `data` section of an experiment as a plain struct.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/config/value.h"
#include "core/data/csv.h"

namespace latent {

/// How many rows a split has: a number of them, a share, or what the others leave.
struct Part {
  std::optional<int64_t> rows;
  std::optional<double> share;
  bool rest() const { return !rows && !share; }
  /// Of n rows; a share is at least one row. Not for the rest.
  int64_t of(int64_t n) const;
};

enum class SplitOrder { random, stratified, ordered };
enum class ValidationRows { part, none, test };
enum class TestRows { own, part, file, train, none };
enum class Scale { automatic, unit, standard, minmax, rms, none };
enum class Binarize { none, threshold, fixed, dynamic };

struct DataOptions {
  std::string source;
  std::vector<std::filesystem::path> paths;  ///< of files; fetched sources: of the folder
  std::string key;                           ///< npz, safetensors; "": the only one
  CsvOptions csv;
  std::string labels;  ///< column, key or file; "": none, or the source's own
  std::string target;  ///< key or file of what the output must match; "": the rows themselves
  std::vector<std::string> normal;
  Shape shape;  ///< of a row; empty: as it is
  bool nchw = false;
  bool zero_missing = false, mask_missing = false;
  Part train, validation, test;
  ValidationRows validation_rows = ValidationRows::part;
  TestRows test_rows = TestRows::own;
  std::filesystem::path test_path;
  SplitOrder split = SplitOrder::random;
  uint64_t split_seed = 0;
  std::optional<std::vector<std::string>> train_on;  ///< labels; none: all
  Scale scale = Scale::automatic;
  Binarize binarize = Binarize::none;
  int64_t count = 12000;
  uint64_t data_seed = 0;
};

/// From a resolved section; `seed` is the run's. Throws UserError where a file is not there.
DataOptions read_data_options(const Value& data, uint64_t seed);

}  // namespace latent
