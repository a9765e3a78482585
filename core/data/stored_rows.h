// The rows of a data set as it stores them: an array, or compressed sparse rows. Whoever reads rows by blocks need not know
// which.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/base/sha256.h"
#include "core/tensor/host_tensor.h"

namespace latent {

/// Row r has the entries [starts[r], starts[r + 1]); its columns ascend, each comes once, and no value is 0: two matrices
/// that are equal have equal entries.
struct SparseRows {
  int64_t width = 0;
  std::vector<uint64_t> starts{0};  ///< [rows + 1]
  std::vector<int32_t> columns;     ///< [entries]
  std::vector<float> values;        ///< [entries]

  int64_t count() const { return static_cast<int64_t>(starts.size()) - 1; }
  /// A row with the entries that were appended since the last one.
  void end_row() { starts.push_back(columns.size()); }
  bool operator==(const SparseRows&) const = default;
};

class StoredRows {
 public:
  /// None, of no shape.
  StoredRows() = default;
  /// [rows, ...]
  StoredRows(HostTensor array) : rows_(std::move(array)) {}  // NOLINT: implicit by design
  StoredRows(SparseRows rows) : rows_(std::move(rows)) {}    // NOLINT: implicit by design

  bool is_sparse() const { return std::holds_alternative<SparseRows>(rows_); }
  /// Throw std::bad_variant_access where they are the other.
  const HostTensor& array() const& { return std::get<HostTensor>(rows_); }
  HostTensor array() && { return std::get<HostTensor>(std::move(rows_)); }
  const SparseRows& sparse() const& { return std::get<SparseRows>(rows_); }

  int64_t count() const;
  Shape row() const;      ///< shape of a row; of sparse ones [columns]
  int64_t width() const;  ///< elements of a row
  /// As they are written out: sparse ones are f32 [rows, columns].
  Type type() const;
  bool is_bytes() const { return type().dtype == DType::u8; }

  /// Gives rows another shape of as many elements; sparse ones have one axis. False where it does not fit.
  bool set_row(const Shape& row);
  /// Values of the rows [first, first + out.size() / width()), as f32.
  void read(int64_t first, std::span<float> out) const;
  /// All rows written out, as stored.
  HostTensor dense() const;

  bool operator==(const StoredRows&) const = default;

 private:
  std::variant<HostTensor, SparseRows> rows_;
};

/// The form in which a data set keeps rows: arrays as convert.h's as_stored says, sparse rows as they are.
StoredRows as_stored(StoredRows rows);
/// Is any value NaN?
bool has_nan(const StoredRows& rows);
/// The rows [first, first + count).
StoredRows slice_rows(const StoredRows& rows, int64_t first, int64_t count);
/// Rows by number, in that order.
StoredRows take_rows(const StoredRows& rows, std::span<const int64_t> numbers);
/// The rows of `a`, then those of `b`: arrays of one element type, or both become f32. Throws UserError, `where` in front,
/// where their rows differ in shape, or only one of them is sparse.
StoredRows concatenate_rows(const StoredRows& a, const StoredRows& b, const std::string& where);
/// Shape, element type and every value.
void add_to_hash(Sha256& hash, const StoredRows& rows);

/// The matrix [rows, columns] = `shape` whose row r has the entries [indptr[r], indptr[r + 1]) of `indices` and `data`, in
/// any order; those of one place add up. Throws UserError, `where` in front and the place behind it: arrays that do not
/// fit each other, a start that goes back, a column that is none, a value that is not finite in f32.
SparseRows make_sparse_rows(const HostTensor& shape, const HostTensor& indptr,
                            const HostTensor& indices, const HostTensor& data,
                            const std::string& where);

}  // namespace latent
