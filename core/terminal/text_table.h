// Aligned columns of text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace latent {

class TextTable {
 public:
  /// `align`: one letter a column, 'l' or 'r'.
  explicit TextTable(std::string_view align) : align_(align) {}
  void row(std::vector<std::string> cells);
  void rule();  ///< a line of dashes
  /// Columns two blanks apart; a table wider than `columns` has its longest left-aligned column
  /// cut, with "..." at the end of what was cut.
  std::string str(size_t columns = 100) const;

 private:
  std::string align_;
  std::vector<std::vector<std::string>> rows_;  ///< an empty one is a rule
};

}  // namespace latent
