// The type of a tensor: element type and static shape. Tensors are dense and row-major.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace latent {

/// f64 is for tests and sums on the CPU; bf16 and f16 are stored, and computed with as f32.
enum class DType : uint8_t { f32, f64, bf16, f16, u8, i32, u64 };

size_t size_of(DType dtype);
std::string name_of(DType dtype);

using Shape = std::vector<int64_t>;

/// "[256, 32]"; a scalar is "[]".
std::string to_string(const Shape& shape);
/// Product of the dimensions; 1 for a scalar.
int64_t elements(const Shape& shape);

struct Type {
  DType dtype = DType::f32;
  Shape shape;

  int64_t elements() const { return latent::elements(shape); }
  size_t bytes() const { return static_cast<size_t>(elements()) * size_of(dtype); }
  int rank() const { return static_cast<int>(shape.size()); }
  /// The axis counted from the right: dim(0) is the last. 1 where the tensor has fewer axes.
  int64_t dim(int from_right) const {
    return from_right < rank() ? shape[shape.size() - 1 - from_right] : 1;
  }
  bool operator==(const Type&) const = default;
};

/// "f32[256, 32]".
std::string to_string(const Type& type);

/// The DType of a C++ type.
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<uint64_t> {
  static constexpr DType value = DType::u64;
};

}  // namespace latent
