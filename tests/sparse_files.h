// Sparse matrices of tests: drawn, and as the files that scipy.sparse.save_npz writes.
#pragma once

#include <string>
#include <vector>

#include "core/data/stored_rows.h"

namespace latent {

/// What save_npz keeps of a matrix. Types are NumPy's: `data_type` any number, `index_type` <i4 or <i8.
struct SparseArrays {
  int64_t rows = 0, columns = 0;
  std::vector<int64_t> indptr, indices;
  std::vector<float> data;
  std::string format = "csr", data_type = "<f4", index_type = "<i4";
};

/// The archive; `method` 0 stores, 8 deflates.
std::string npz_of(const SparseArrays& arrays, uint16_t method = 8);
/// The entries of an f32 matrix that are not 0.
SparseArrays arrays_of(const HostTensor& matrix);
SparseRows sparse_of(const HostTensor& matrix);

/// Whole numbers f32 [rows, columns], three in four of them 0 and the others 1 to 5; row 3 and column 2 are empty.
HostTensor drawn_counts(int64_t rows, int64_t columns);

}  // namespace latent
