#include "core/data/idx.h"

#include <algorithm>

#include "core/data/convert.h"
#include "core/io/read_file.h"

namespace latent {
namespace {

struct Element {
  uint8_t code;
  size_t size;
  HostTensor (*make)(Shape, std::span<const std::byte>);
};

template <DType dtype>
HostTensor as_is(Shape shape, std::span<const std::byte> bytes) {
  HostTensor out(Type{dtype, std::move(shape)});
  std::ranges::copy(bytes, out.bytes.begin());
  return out;
}

constexpr Element kElements[] = {
    {0x08, 1, as_is<DType::u8>},  {0x09, 1, integers<int8_t>},  {0x0B, 2, integers<int16_t>},
    {0x0C, 4, integers<int32_t>}, {0x0D, 4, as_is<DType::f32>}, {0x0E, 8, as_is<DType::f64>},
};

uint8_t byte_at(std::string_view bytes, size_t i) { return static_cast<uint8_t>(bytes[i]); }

uint64_t dimension(std::string_view bytes, size_t at) {
  uint64_t d = 0;
  for (size_t i = 0; i < 4; ++i) d = d << 8 | byte_at(bytes, at + i);
  return d;
}

}  // namespace

HostTensor parse_idx(std::string_view bytes, const std::string& where) {
  const auto fail = [&](const auto&... why) { throw UserError(cat(where, ": ", why...)); };
  if (bytes.size() < 4) fail("is truncated: ", bytes.size(), " bytes are not an IDX file");
  const auto* element = std::ranges::find(kElements, byte_at(bytes, 2), &Element::code);
  const size_t rank = byte_at(bytes, 3);
  if (byte_at(bytes, 0) || byte_at(bytes, 1) || element == std::end(kElements) || rank == 0 ||
      rank > 8) {
    char magic[16];
    std::snprintf(magic, sizeof magic, "0x%08x", static_cast<unsigned>(dimension(bytes, 0)));
    fail("is not an IDX file: its magic number is ", magic, ", that of images is 0x00000803");
  }
  const size_t header = 4 + 4 * rank;
  if (bytes.size() < header) fail("is truncated inside its header");
  Shape shape;
  auto wanted = static_cast<int64_t>(element->size);
  bool overflow = false;
  for (size_t i = 0; i < rank; ++i) {
    const auto d = static_cast<int64_t>(dimension(bytes, 4 + 4 * i));
    shape.push_back(d);
    overflow |= __builtin_mul_overflow(wanted, d, &wanted);
  }
  const auto held = static_cast<int64_t>(bytes.size() - header);
  if (overflow || wanted > held)
    fail("its header claims ", to_string(shape), " elements of ", element->size,
         " bytes, it holds ", held, " bytes: is it truncated?");
  if (wanted < held)
    fail(held - wanted, " bytes behind the ", to_string(shape), " elements of its header");

  std::string data(bytes.substr(header));
  for (size_t i = 0; element->size > 1 && i < data.size(); i += element->size)
    std::reverse(data.begin() + static_cast<int64_t>(i),
                 data.begin() + static_cast<int64_t>(i + element->size));
  return element->make(std::move(shape), std::as_bytes(std::span(data)));
}

HostTensor read_idx(const std::filesystem::path& path) {
  return parse_idx(read_gzip_file(path), path.string());
}

}  // namespace latent
