// Tables in text files: a row a line, cells between delimiters.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor/host_tensor.h"

namespace latent {

struct CsvOptions {
  std::optional<bool> header;  ///< none: a first line without a single number is one
  char delimiter = 0;          ///< 0: the first of tab ; , that the first line has, else blanks
  std::vector<std::string>
      columns;  ///< the features by name or number (from 0), in this order; none: all others
  std::vector<std::string> drop;  ///< left out
  std::string labels;             ///< the column of labels; "": there is none
  bool allow_missing = false;     ///< an empty cell, NaN, NA or ? is NaN, else an error
};

struct CsvTable {
  HostTensor rows;                  ///< f32[rows, features]
  std::vector<std::string> names;   ///< of the features: header or numbers
  std::vector<std::string> labels;  ///< one a row, or none
};

/// Cells may stand in double quotes (a doubled one is a quote); with blanks as delimiter runs of them are one; empty
/// lines are left out; .gz is decompressed. Throws UserError with file and line: a line of another length, a cell that
/// is no number in a column that is neither dropped nor the labels, a column that is not there, no rows.
CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options);
CsvTable parse_csv(std::string_view text, const CsvOptions& options, const std::string& where);

/// The number that a cell is, blanks around it left out.
std::optional<double> parse_number(std::string_view cell);

}  // namespace latent
