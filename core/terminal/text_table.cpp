#include "core/terminal/text_table.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace latent {

void TextTable::row(std::vector<std::string> cells) {
  if (cells.size() != align_.size()) throw std::logic_error("text table: number of cells");
  rows_.push_back(std::move(cells));
}

void TextTable::rule() { rows_.emplace_back(); }

std::string TextTable::str(size_t columns) const {
  std::vector<size_t> widths(align_.size());
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  const auto total = [&] {
    return std::accumulate(widths.begin(), widths.end(), 2 * (widths.size() - 1));
  };
  while (total() > columns) {
    size_t widest = widths.size();
    for (size_t i = 0; i < widths.size(); ++i)
      if (align_[i] == 'l' && (widest == widths.size() || widths[i] > widths[widest])) widest = i;
    if (widest == widths.size() || widths[widest] <= 8) break;
    --widths[widest];
  }

  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    if (row.empty()) line.assign(total(), '-');
    for (size_t i = 0; i < row.size(); ++i) {
      std::string text = row[i];
      if (text.size() > widths[i]) text = text.substr(0, widths[i] - 3) + "...";
      const std::string blanks(widths[i] - text.size(), ' ');
      line += (i ? "  " : "") + (align_[i] == 'r' ? blanks + text : text + blanks);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace latent
