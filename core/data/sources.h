// Where rows come from: sets made by code, known sets in $LATENT_DATA, files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/data/options.h"
#include "core/data/stored_rows.h"

namespace latent {

/// Rows, their labels as text, one a row or none, and what the output must match.
struct LabelledRows {
  StoredRows rows;
  std::vector<std::string> labels;
  StoredRows targets = {};  ///< of `data.target`; rank 0: there are none

  bool has_targets() const { return targets.type().rank() > 0; }
};

struct RawData {
  LabelledRows all;                  ///< without the source's own test rows
  std::optional<LabelledRows> test;  ///< the source's own
  double unit = 255;  ///< what `scale: unit` divides by: the largest value that the source can have
};

/// Loads the rows that `data.source` names. Throws UserError with the file and the problem.
RawData load_source(const DataOptions& options);

/// A file of rows in the format that its name or first bytes say: .npy .npz .csv .txt .tsv .safetensors and IDX, all
/// but .npz and .safetensors also .gz. Keys, columns, labels and targets are read where the file has them.
LabelledRows load_rows(const std::filesystem::path& file, const DataOptions& options);

/// The folder of a known source, whose `data.path` is `path`. Throws UserError: where it looked, which files of which
/// project are wanted, and what runs without them.
std::filesystem::path find_source_folder(const std::string& source, const Value& path);
/// Its rows from the files in that folder.
RawData load_known_source(const std::string& source, const std::filesystem::path& folder);
/// The file that a value names, beside the experiment or in $LATENT_DATA.
std::optional<std::filesystem::path> find_file(const Value& value);

/// Every source: what it is, rows, shape and licence, and whether its files are there. For people.
std::string describe_sources();

}  // namespace latent
