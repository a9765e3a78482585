#include "core/data/convert.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

namespace latent {
namespace {

struct Half {
  uint16_t bits;
};
struct Bfloat {
  uint16_t bits;
};

template <class T>
float value_of(T v) {
  return static_cast<float>(v);
}
float value_of(Bfloat v) { return std::bit_cast<float>(uint32_t{v.bits} << 16); }
float value_of(Half v) {
  const uint32_t sign = uint32_t{v.bits & 0x8000u} << 16, magnitude = (v.bits & 0x7fffu) << 13;
  const bool special = magnitude >= 0x0f800000u;  // infinity and NaN
  const float value = special ? std::bit_cast<float>(magnitude | 0x7f800000u)
                              : std::bit_cast<float>(magnitude) * 0x1p112f;  // exact
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
}

template <class T>
void convert(const HostTensor& tensor, int64_t first, std::span<float> out) {
  const std::byte* from = tensor.bytes.data() + static_cast<size_t>(first) * sizeof(T);
  for (size_t i = 0; i < out.size(); ++i) {
    T v;
    std::memcpy(&v, from + i * sizeof(T), sizeof(T));
    out[i] = value_of(v);
  }
}

}  // namespace

void to_f32(const HostTensor& tensor, int64_t first, std::span<float> out) {
  switch (tensor.type.dtype) {
    case DType::f32:
      return convert<float>(tensor, first, out);
    case DType::f64:
      return convert<double>(tensor, first, out);
    case DType::f16:
      return convert<Half>(tensor, first, out);
    case DType::bf16:
      return convert<Bfloat>(tensor, first, out);
    case DType::u8:
      return convert<uint8_t>(tensor, first, out);
    case DType::i32:
      return convert<int32_t>(tensor, first, out);
    case DType::u64:
      return convert<uint64_t>(tensor, first, out);
  }
}

HostTensor to_f32(const HostTensor& tensor) {
  if (tensor.type.dtype == DType::f32) return tensor;
  HostTensor out(Type{DType::f32, tensor.type.shape});
  to_f32(tensor, 0, out.as<float>());
  return out;
}

HostTensor as_stored(HostTensor rows) {
  switch (rows.type.dtype) {
    case DType::u8:
    case DType::f16:
    case DType::bf16:
    case DType::f32:
      return rows;
    default:
      return to_f32(rows);
  }
}

template <class T>
HostTensor integers(Shape shape, std::span<const std::byte> bytes) {
  const auto at = [&](size_t i) {
    T v;
    std::memcpy(&v, bytes.data() + i * sizeof(T), sizeof(T));
    return v;
  };
  HostTensor out(Type{DType::i32, shape});
  const auto to = out.as<int32_t>();
  for (size_t i = 0; i < to.size(); ++i) {
    if (!std::in_range<int32_t>(at(i))) {
      HostTensor wide(Type{DType::f64, std::move(shape)});
      const auto reals = wide.as<double>();
      for (size_t k = 0; k < reals.size(); ++k) reals[k] = static_cast<double>(at(k));
      return wide;
    }
    to[i] = static_cast<int32_t>(at(i));
  }
  return out;
}
template HostTensor integers<int8_t>(Shape, std::span<const std::byte>);
template HostTensor integers<int16_t>(Shape, std::span<const std::byte>);
template HostTensor integers<uint16_t>(Shape, std::span<const std::byte>);
template HostTensor integers<int32_t>(Shape, std::span<const std::byte>);
template HostTensor integers<uint32_t>(Shape, std::span<const std::byte>);
template HostTensor integers<int64_t>(Shape, std::span<const std::byte>);
template HostTensor integers<uint64_t>(Shape, std::span<const std::byte>);

std::string label_text(double label) {
  if (std::abs(label) < 0x1p63 && label == std::floor(label))
    return std::to_string(static_cast<int64_t>(label));
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, label).ptr};
}

std::vector<std::string> label_texts(const HostTensor& labels) {
  const size_t n = static_cast<size_t>(labels.type.elements());
  std::vector<std::string> out(n);
  const HostTensor values = labels.type.dtype == DType::f64 ? labels : to_f32(labels);
  for (size_t i = 0; i < n; ++i) {
    if (labels.type.dtype == DType::i32)
      out[i] = std::to_string(labels.as<int32_t>()[i]);
    else if (labels.type.dtype == DType::f64)
      out[i] = label_text(labels.as<double>()[i]);
    else
      out[i] = label_text(values.as<float>()[i]);
  }
  return out;
}

}  // namespace latent
