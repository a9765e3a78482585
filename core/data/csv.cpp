#include "core/data/csv.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <limits>
#include <numeric>

#include "core/base/spelling.h"
#include "core/data/convert.h"
#include "core/io/read_file.h"

namespace latent {
namespace {

constexpr std::string_view kBlanks = " \t";

std::string_view trim(std::string_view text, std::string_view blanks = " \t\r") {
  const size_t begin = text.find_first_not_of(blanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

bool is_missing(std::string_view cell) {
  cell = trim(cell);
  for (std::string_view word : {"", "nan", "NaN", "NAN", "NA", "N/A", "null", "?"})
    if (cell == word) return true;
  return false;
}

/// Cuts a text into records of cells.
class Lines {
 public:
  Lines(std::string_view text, char delimiter, const std::string& where)
      : text_(text), where_(where), delimiter_(delimiter) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);  // the byte order mark
    if (text_.find('\0') != text_.npos) throw UserError(where_ + ": is not a text file");
    if (!delimiter_) delimiter_ = guess_delimiter();
  }

  /// The next line that is not empty; false at the end.
  bool next(std::vector<std::string_view>& cells) {
    do {
      if (at_ >= text_.size()) return false;
      read_line(cells);
    } while (cells.empty() || (cells.size() == 1 && trim(cells[0]).empty()));
    return true;
  }
  /// Of the first line of the record read last, from 1.
  int64_t line() const { return line_; }

 private:
  char guess_delimiter() const {
    const size_t begin = text_.find_first_not_of("\r\n");
    if (begin == text_.npos) return ',';
    std::string unquoted;
    bool quoted = false;
    for (char c : text_.substr(begin)) {
      if (c == '"') quoted = !quoted;
      if (c == '\n' && !quoted) break;
      if (!quoted) unquoted += c;
    }
    // Lines of numbers in columns of blanks may well begin with them.
    const std::string_view line = trim(unquoted);
    for (char c : {'\t', ';', ','})
      if (line.find(c) != line.npos) return c;
    return line.find(' ') != line.npos ? ' ' : ',';
  }

  void read_line(std::vector<std::string_view>& cells) {
    cells.clear();
    unescaped_.clear();
    line_ = next_line_;
    const bool blanks = delimiter_ == ' ';
    for (;;) {
      if (blanks) at_ = std::min(text_.find_first_not_of(kBlanks, at_), text_.size());
      if (blanks && at_end()) break;
      cells.push_back(read_cell());
      if (at_end()) break;
      ++at_;  // the delimiter
    }
    if (at_ < text_.size()) at_ += text_[at_] == '\r' ? 2 : 1;
    ++next_line_;
  }
  /// At the end of a line or of the text.
  bool at_end() const {
    return at_ >= text_.size() || text_[at_] == '\n' || text_.substr(at_, 2) == "\r\n" ||
           text_.substr(at_) == "\r";
  }
  bool at_delimiter() const {
    return text_[at_] == delimiter_ || (delimiter_ == ' ' && text_[at_] == '\t');
  }
  std::string_view read_cell() {
    size_t quote = at_;
    while (quote < text_.size() && text_[quote] == ' ') ++quote;
    if (quote < text_.size() && text_[quote] == '"') {
      at_ = quote + 1;
      return read_quoted();
    }
    const size_t begin = at_;
    while (!at_end() && !at_delimiter()) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  std::string_view read_quoted() {
    std::string& out = unescaped_.emplace_back();
    for (;; ++at_) {
      if (at_ >= text_.size()) throw UserError(cat(where_, ":", line_, ": a quote is not closed"));
      if (text_[at_] == '\n') ++next_line_;
      if (text_[at_] == '"') {
        if (text_.substr(at_ + 1, 1) != "\"") break;
        ++at_;
      }
      out += text_[at_];
    }
    ++at_;
    while (!at_end() && text_[at_] == ' ' && delimiter_ != ' ') ++at_;
    if (!at_end() && !at_delimiter())
      throw UserError(cat(where_, ":", line_, ": text behind a closing quote"));
    return out;
  }

  std::string_view text_;
  const std::string& where_;
  char delimiter_;
  size_t at_ = 0;
  int64_t line_ = 0, next_line_ = 1;
  std::deque<std::string> unescaped_;  ///< quoted cells of this line
};

class Table {
 public:
  Table(std::string_view text, const CsvOptions& options, const std::string& where)
      : lines_(text, options.delimiter, where), options_(options), where_(where) {}

  CsvTable read() {
    std::vector<std::string_view> cells;
    if (!lines_.next(cells)) throw UserError(where_ + ": has no rows");
    width_ = cells.size();
    const bool header = options_.header.value_or(looks_like_header(cells));
    if (header)
      for (std::string_view cell : cells) names_.emplace_back(trim(cell));
    else
      for (size_t i = 0; i < width_; ++i) names_.push_back(std::to_string(i));
    choose_columns();
    if (!header) read_row(cells);
    while (lines_.next(cells)) read_row(cells);
    return finish();
  }

 private:
  static bool looks_like_header(const std::vector<std::string_view>& cells) {
    return std::ranges::none_of(cells, [](auto c) { return parse_number(c).has_value(); }) &&
           !std::ranges::all_of(cells, is_missing);
  }

  size_t find_column(const std::string& column, const char* key) const {
    if (const auto named = std::ranges::find(names_, column); named != names_.end())
      return static_cast<size_t>(named - names_.begin());
    size_t number = 0;
    const auto [end, error] = std::from_chars(column.data(), column.data() + column.size(), number);
    if (error == std::errc() && end == column.data() + column.size() && number < width_)
      return number;
    throw UserError(cat(where_, ": has no column `", column, "`, which `", key, "` names; it has ",
                        width_, width_ <= 40 ? cat(": ", join(names_, ", ")) : "",
                        did_you_mean(column, names_)));
  }

  void choose_columns() {
    std::vector<bool> left_out(width_, false);
    for (const std::string& c : options_.drop) left_out[find_column(c, "drop")] = true;
    if (!options_.labels.empty()) {
      label_ = find_column(options_.labels, "labels");
      left_out[label_] = true;
    }
    if (options_.columns.empty())
      for (size_t i = 0; i < width_; ++i)
        if (!left_out[i]) features_.push_back(i);
    for (const std::string& c : options_.columns) {
      features_.push_back(find_column(c, "columns"));
      if (left_out[features_.back()])
        throw UserError(
            cat(where_, ": column `", c, "` is both a feature and dropped or the labels"));
    }
    if (features_.empty()) throw UserError(where_ + ": no column is left for the features");
  }

  void read_row(const std::vector<std::string_view>& cells) {
    if (cells.size() != width_)
      throw UserError(cat(where_, ":", lines_.line(), ": has ", cells.size(),
                          " cells, the first line has ", width_));
    for (size_t f : features_) values_.push_back(number(cells[f], f));
    if (!options_.labels.empty()) {
      const std::optional<double> label = parse_number(cells[label_]);
      labels_.push_back(label ? label_text(*label) : std::string(trim(cells[label_])));
    }
    ++rows_;
  }

  float number(std::string_view cell, size_t column) const {
    const auto at = [&] {
      return cat(where_, ":", lines_.line(), ": column ", column + 1, " (`", names_[column], "`)");
    };
    if (is_missing(cell)) {
      if (options_.allow_missing) return std::numeric_limits<float>::quiet_NaN();
      throw UserError(cat(at(), " is ", trim(cell).empty() ? "empty" : trim(cell),
                          "; `data.missing: zero` takes such cells"));
    }
    if (const auto x = parse_number(cell)) return static_cast<float>(*x);
    throw UserError(cat(at(), " is the text `", cell.substr(0, 40),
                        "`; name the column in `drop` or `labels`",
                        rows_ == 0 ? ", or set `header`" : ""));
  }

  CsvTable finish() {
    if (rows_ == 0) throw UserError(where_ + ": has a header, but no rows");
    CsvTable table;
    table.rows = host_tensor<float>({rows_, static_cast<int64_t>(features_.size())}, values_);
    for (size_t f : features_) table.names.push_back(names_[f]);
    table.labels = std::move(labels_);
    return table;
  }

  Lines lines_;
  const CsvOptions& options_;
  const std::string& where_;
  size_t width_ = 0, label_ = 0;
  std::vector<std::string> names_, labels_;
  std::vector<size_t> features_;
  std::vector<float> values_;
  int64_t rows_ = 0;
};

}  // namespace

std::optional<double> parse_number(std::string_view cell) {
  cell = trim(cell);
  if (cell.starts_with('+')) cell.remove_prefix(1);
  double x = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), x);
  if (cell.empty() || end != cell.data() + cell.size()) return std::nullopt;
  if (error != std::errc()) return std::nullopt;
  return x;
}

CsvTable parse_csv(std::string_view text, const CsvOptions& options, const std::string& where) {
  return Table(text, options, where).read();
}

CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options) {
  return parse_csv(read_gzip_file(path), options, path.string());
}

}  // namespace latent
