#include "tests/sparse_files.h"

#include <bit>
#include <cmath>

#include "core/random/philox.h"
#include "tests/archives.h"

namespace latent {
namespace {

template <class T>
std::string bytes_as(const std::vector<float>& values) {
  return raw(std::vector<T>(values.begin(), values.end()));
}

/// Those of small whole numbers in half precision.
uint16_t half_of(float v) {
  const auto bits = std::bit_cast<uint32_t>(v);
  return v == 0 ? 0 : static_cast<uint16_t>(((bits >> 23) - 112) << 10 | (bits >> 13 & 0x3ff));
}

std::string values_as(const std::string& type, const std::vector<float>& values) {
  if (type == "|b1" || type == "|u1") return bytes_as<uint8_t>(values);
  if (type == "<i2") return bytes_as<int16_t>(values);
  if (type == "<i8") return bytes_as<int64_t>(values);
  if (type == "<f8") return bytes_as<double>(values);
  if (type == "<f4") return raw(values);
  std::string out;
  for (const float v : values) {
    const auto bits = std::bit_cast<uint32_t>(v);
    out += type == "<f2" ? raw<uint16_t>({half_of(v)}) : raw<uint32_t>({__builtin_bswap32(bits)});
  }
  return out;
}

std::string vector_of(const std::string& type, size_t n, const std::string& bytes) {
  return npy_of(type, "(" + std::to_string(n) + ",)", bytes);
}

std::string indices_of(const std::string& type, const std::vector<int64_t>& values) {
  return vector_of(
      type, values.size(),
      type == "<i8" ? raw(values) : raw(std::vector<int32_t>(values.begin(), values.end())));
}

}  // namespace

std::string npz_of(const SparseArrays& a, uint16_t method) {
  return zip({{"indices.npy", indices_of(a.index_type, a.indices)},
              {"indptr.npy", indices_of(a.index_type, a.indptr)},
              {"format.npy", npy_of("|S3", "()", a.format)},
              {"shape.npy", vector_of("<i8", 2, raw<int64_t>({a.rows, a.columns}))},
              {"data.npy", vector_of(a.data_type, a.data.size(), values_as(a.data_type, a.data))},
              {"_is_array.npy", npy_of("|b1", "()", std::string(1, '\0'))}},
             method);
}

SparseArrays arrays_of(const HostTensor& matrix) {
  SparseArrays a{.rows = matrix.type.dim(1),
                 .columns = matrix.type.dim(0),
                 .indptr = {0},
                 .indices = {},
                 .data = {}};
  for (int64_t r = 0; r < a.rows; ++r) {
    for (int64_t c = 0; c < a.columns; ++c) {
      const float v = matrix.as<float>()[r * a.columns + c];
      if (v == 0) continue;
      a.indices.push_back(c);
      a.data.push_back(v);
    }
    a.indptr.push_back(static_cast<int64_t>(a.indices.size()));
  }
  return a;
}

SparseRows sparse_of(const HostTensor& matrix) {
  const SparseArrays a = arrays_of(matrix);
  SparseRows rows{.width = a.columns};
  for (int64_t r = 0; r < a.rows; ++r) {
    for (int64_t k = a.indptr[r]; k < a.indptr[r + 1]; ++k) {
      rows.columns.push_back(static_cast<int32_t>(a.indices[k]));
      rows.values.push_back(a.data[k]);
    }
    rows.end_row();
  }
  return rows;
}

HostTensor drawn_counts(int64_t rows, int64_t columns) {
  HostTensor counts(Type{DType::f32, {rows, columns}});
  for (int64_t i = 0; i < rows * columns; ++i) {
    const float u = uniform(1, 0, stream_of("counts"), static_cast<uint64_t>(i));
    if (u < 0.25f && i / columns != 3 && i % columns != 2)
      counts.as<float>()[i] = std::floor(1 + 20 * u);
  }
  return counts;
}

}  // namespace latent
