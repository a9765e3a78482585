#include "core/data/stored_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/data/convert.h"

namespace latent {
namespace {

Type with_rows(Type type, int64_t count) {
  type.shape.at(0) = count;
  return type;
}

size_t row_bytes(const HostTensor& rows) {
  const int64_t n = rows.type.rank() ? rows.type.shape[0] : 0;
  return n ? rows.bytes.size() / static_cast<size_t>(n) : 0;
}

void append_row(SparseRows& to, const SparseRows& from, int64_t r) {
  const auto begin = static_cast<int64_t>(from.starts[static_cast<size_t>(r)]),
             end = static_cast<int64_t>(from.starts[static_cast<size_t>(r) + 1]);
  to.columns.insert(to.columns.end(), from.columns.begin() + begin, from.columns.begin() + end);
  to.values.insert(to.values.end(), from.values.begin() + begin, from.values.begin() + end);
  to.end_row();
}

HostTensor concatenate(const HostTensor& a, const HostTensor& b) {
  if (a.type.dtype != b.type.dtype) return concatenate(to_f32(a), to_f32(b));
  HostTensor out(with_rows(a.type, a.type.shape[0] + b.type.shape[0]));
  std::ranges::copy(b.bytes, std::ranges::copy(a.bytes, out.bytes.begin()).out);
  return out;
}

}  // namespace

int64_t StoredRows::count() const {
  if (is_sparse()) return sparse().count();
  return array().type.rank() ? array().type.shape[0] : 0;
}

Shape StoredRows::row() const {
  if (is_sparse()) return {sparse().width};
  const Shape& shape = array().type.shape;
  return {shape.begin() + !shape.empty(), shape.end()};
}

int64_t StoredRows::width() const { return elements(row()); }

Type StoredRows::type() const {
  return is_sparse() ? Type{DType::f32, {count(), width()}} : array().type;
}

bool StoredRows::set_row(const Shape& row) {
  if (is_sparse()) return row == this->row();
  Type& type = std::get<HostTensor>(rows_).type;
  const int64_t n = count();
  if (type.elements() != n * elements(row)) return false;
  type.shape = row;
  type.shape.insert(type.shape.begin(), n);
  return true;
}

void StoredRows::read(int64_t first, std::span<float> out) const {
  if (!is_sparse()) return to_f32(array(), first * width(), out);
  const SparseRows& rows = sparse();
  std::ranges::fill(out, 0.0f);
  const auto width = static_cast<size_t>(rows.width), begin = static_cast<size_t>(first);
  for (size_t r = 0; (r + 1) * width <= out.size() && width > 0; ++r)
    for (size_t k = rows.starts[begin + r]; k < rows.starts[begin + r + 1]; ++k)
      out[r * width + static_cast<size_t>(rows.columns[k])] = rows.values[k];
}

HostTensor StoredRows::dense() const {
  if (!is_sparse()) return array();
  HostTensor out(type());
  read(0, out.as<float>());
  return out;
}

StoredRows as_stored(StoredRows rows) {
  if (rows.is_sparse()) return rows;
  return as_stored(std::move(rows).array());
}

bool has_nan(const StoredRows& rows) {
  if (rows.is_sparse() || rows.is_bytes()) return false;
  const HostTensor values = to_f32(rows.array());
  return std::ranges::any_of(values.as<float>(), [](float v) { return std::isnan(v); });
}

StoredRows slice_rows(const StoredRows& rows, int64_t first, int64_t count) {
  if (rows.is_sparse()) {
    SparseRows out{.width = rows.width()};
    for (int64_t r = first; r < first + count; ++r) append_row(out, rows.sparse(), r);
    return out;
  }
  const HostTensor& array = rows.array();
  HostTensor out(with_rows(array.type, count));
  const size_t size = row_bytes(array);
  std::copy_n(array.bytes.begin() + first * static_cast<int64_t>(size), out.bytes.size(),
              out.bytes.begin());
  return out;
}

StoredRows take_rows(const StoredRows& rows, std::span<const int64_t> numbers) {
  if (rows.is_sparse()) {
    SparseRows out{.width = rows.width()};
    for (const int64_t r : numbers) append_row(out, rows.sparse(), r);
    return out;
  }
  const HostTensor& array = rows.array();
  HostTensor out(with_rows(array.type, static_cast<int64_t>(numbers.size())));
  const size_t size = row_bytes(array);
  for (size_t i = 0; i < numbers.size(); ++i)
    std::copy_n(array.bytes.data() + static_cast<size_t>(numbers[i]) * size, size,
                out.bytes.data() + i * size);
  return out;
}

StoredRows concatenate_rows(const StoredRows& a, const StoredRows& b, const std::string& where) {
  if (a.row() != b.row())
    throw UserError(cat(where, ": its rows are ", to_string(b.type()), ", those before are ",
                        to_string(a.type())));
  if (a.is_sparse() != b.is_sparse())
    throw UserError(cat(where, ": its rows are ", b.is_sparse() ? "sparse" : "an array",
                        ", those before are ", a.is_sparse() ? "sparse" : "an array",
                        ": save all of them in one way"));
  if (!a.is_sparse()) return concatenate(a.array(), b.array());
  SparseRows out = a.sparse();
  for (int64_t r = 0; r < b.count(); ++r) append_row(out, b.sparse(), r);
  return out;
}

void add_to_hash(Sha256& hash, const StoredRows& rows) {
  hash.update(to_string(rows.type()));
  if (!rows.is_sparse()) return hash.update(rows.array().bytes);
  hash.update("sparse");
  hash.update(std::as_bytes(std::span(rows.sparse().starts)));
  hash.update(std::as_bytes(std::span(rows.sparse().columns)));
  hash.update(std::as_bytes(std::span(rows.sparse().values)));
}

// ---- From arrays

namespace {

/// Whole numbers of any integer type, as parse_npy gives them: i32, or f64 where they are larger.
std::vector<int64_t> whole_numbers(const HostTensor& t, const std::string& name) {
  std::vector<int64_t> out;
  if (t.type.dtype == DType::i32)
    out.assign(t.as<int32_t>().begin(), t.as<int32_t>().end());
  else if (t.type.dtype == DType::u8)
    out.assign(t.as<uint8_t>().begin(), t.as<uint8_t>().end());
  else if (t.type.dtype == DType::f64)
    for (const double v : t.as<double>()) {
      if (!(v == std::floor(v) && std::abs(v) < 0x1p53))
        throw UserError(cat(name, " holds ", v, ", which is no whole number"));
      out.push_back(static_cast<int64_t>(v));
    }
  else
    throw UserError(cat(name, " is ", to_string(t.type), ", and must hold whole numbers"));
  return out;
}

struct Entry {
  int32_t column;
  double value;
};

/// The entries of a row in the order of their columns, those of one column added up, none of them 0.
void append_entries(SparseRows& rows, std::vector<Entry>& entries) {
  std::ranges::stable_sort(entries, {}, &Entry::column);
  for (size_t k = 0; k < entries.size();) {
    const int32_t column = entries[k].column;
    double sum = 0;
    for (; k < entries.size() && entries[k].column == column; ++k) sum += entries[k].value;
    if (static_cast<float>(sum) == 0) continue;
    rows.columns.push_back(column);
    rows.values.push_back(static_cast<float>(sum));
  }
  rows.end_row();
}

}  // namespace

SparseRows make_sparse_rows(const HostTensor& shape, const HostTensor& indptr,
                            const HostTensor& indices, const HostTensor& data,
                            const std::string& where) {
  const std::vector<int64_t> size = whole_numbers(shape, where + ": `shape`"),
                             starts = whole_numbers(indptr, where + ": `indptr`"),
                             columns = whole_numbers(indices, where + ": `indices`");
  const auto fail = [&](const auto&... problem) { throw UserError(cat(where, ": ", problem...)); };
  if (size.size() != 2 || size[0] < 0 || size[1] < 0)
    fail("`shape` is no number of rows and of columns");
  if (size[1] > std::numeric_limits<int32_t>::max())
    fail("has ", size[1], " columns, and at most 2^31 - 1 are taken");
  const auto n = static_cast<size_t>(size[0]);
  if (starts.size() != n + 1)
    fail("`indptr` has ", starts.size(), " elements, and ", n, " rows need ", n + 1);
  if (columns.size() != static_cast<size_t>(data.type.elements()))
    fail("`indices` has ", columns.size(), " elements, `data` ", data.type.elements());
  if (starts.front() != 0 || starts.back() != static_cast<int64_t>(columns.size()))
    fail("`indptr` goes from ", starts.front(), " to ", starts.back(), ", and there are ",
         columns.size(), " entries");
  for (size_t r = 0; r < n; ++r)
    if (starts[r + 1] < starts[r])
      fail("`indptr` goes back from ", starts[r], " to ", starts[r + 1], " behind row ", r,
           " (from 0)");
  const HostTensor reals = to_f32(data);
  const auto values = reals.as<float>();
  SparseRows rows{.width = size[1]};
  std::vector<Entry> entries;
  for (size_t r = 0; r < n; ++r) {
    entries.clear();
    for (auto k = static_cast<size_t>(starts[r]); k < static_cast<size_t>(starts[r + 1]); ++k) {
      if (columns[k] < 0 || columns[k] >= size[1])
        fail("row ", r, " (from 0) has an entry in column ", columns[k], ", and there are ",
             size[1], " columns");
      if (!std::isfinite(values[k]))
        fail("row ", r, ", column ", columns[k], " (both from 0) is ",
             std::isnan(values[k]) ? "NaN" : "infinite, or beyond f32");
      entries.push_back({static_cast<int32_t>(columns[k]), values[k]});
    }
    append_entries(rows, entries);
    for (size_t k = rows.starts[r]; k < rows.starts[r + 1]; ++k)
      if (!std::isfinite(rows.values[k]))
        fail("row ", r, ", column ", rows.columns[k], " (both from 0) adds up to more than f32");
  }
  return rows;
}

}  // namespace latent
