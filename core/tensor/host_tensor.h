// A tensor in host memory: what loaders give, checkpoints hold and tests compare.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/tensor/type.h"

namespace latent {

struct HostTensor {
  Type type;
  std::vector<std::byte> bytes;  ///< type.bytes() of them, row-major, little endian

  HostTensor() = default;
  /// Zeros.
  explicit HostTensor(Type t) : type(std::move(t)), bytes(type.bytes()) {}

  template <class T>
  std::span<T> as() {
    check(DTypeOf<T>::value);
    return {reinterpret_cast<T*>(bytes.data()), static_cast<size_t>(type.elements())};
  }
  template <class T>
  std::span<const T> as() const {
    check(DTypeOf<T>::value);
    return {reinterpret_cast<const T*>(bytes.data()), static_cast<size_t>(type.elements())};
  }
  bool operator==(const HostTensor&) const = default;

 private:
  void check(DType want) const {
    if (type.dtype != want)
      throw std::logic_error(cat("host tensor: is ", to_string(type), ", read as ", name_of(want)));
  }
};

/// A tensor of `values`; throws std::logic_error when their number does not fit the shape.
template <class T>
HostTensor host_tensor(Shape shape, std::span<const T> values) {
  HostTensor t(Type{DTypeOf<T>::value, std::move(shape)});
  if (static_cast<int64_t>(values.size()) != t.type.elements())
    throw std::logic_error("host_tensor: number of values");
  std::copy(values.begin(), values.end(), t.as<T>().begin());
  return t;
}

}  // namespace latent
