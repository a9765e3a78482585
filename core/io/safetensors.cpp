#include "core/io/safetensors.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "core/io/atomic_file.h"

static_assert(std::endian::native == std::endian::little, "tensors are stored little endian");

namespace latent {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kMetadataKey = "__metadata__";
constexpr uint64_t kLargestHeader = 100'000'000;  // the limit of the reference implementation
constexpr std::string_view kNoChecksum = "crc32:00000000";

// ---- Types

/// A type of the format, and what its elements become here.
struct Stored {
  const char* name;
  size_t size;
  DType dtype;
};
constexpr Stored kStored[] = {
    {"F32", 4, DType::f32},   {"F64", 8, DType::f64}, {"F16", 2, DType::f16},
    {"BF16", 2, DType::bf16}, {"U8", 1, DType::u8},   {"I32", 4, DType::i32},
    {"U64", 8, DType::u64},   {"BOOL", 1, DType::u8}, {"I8", 1, DType::i32},
    {"I16", 2, DType::i32},   {"U16", 2, DType::i32}, {"I64", 8, DType::i32},
};

const Stored* find_stored(std::string_view name) {
  const auto* found = std::ranges::find(kStored, name, &Stored::name);
  return found == std::end(kStored) ? nullptr : found;
}

const char* stored_name(DType dtype) {
  return std::ranges::find(kStored, dtype, &Stored::dtype)->name;
}

/// Elements of type From as the i32 of `out`; false where one does not fit.
template <class From>
bool to_i32(const std::vector<std::byte>& bytes, HostTensor& out) {
  auto to = out.as<int32_t>();
  for (size_t i = 0; i < to.size(); ++i) {
    From x;
    std::memcpy(&x, bytes.data() + i * sizeof(From), sizeof(From));
    to[i] = static_cast<int32_t>(x);
    if (static_cast<From>(to[i]) != x) return false;
  }
  return true;
}

bool convert(const Stored& stored, const std::vector<std::byte>& bytes, HostTensor& out) {
  const std::string_view name = stored.name;
  if (name == "I8") return to_i32<int8_t>(bytes, out);
  if (name == "I16") return to_i32<int16_t>(bytes, out);
  if (name == "U16") return to_i32<uint16_t>(bytes, out);
  return to_i32<int64_t>(bytes, out);
}

// ---- Checksum

uint32_t add_to_crc(uint32_t crc, std::span<const std::byte> bytes) {
  if (bytes.empty()) return crc;  // zlib begins anew when it is given no buffer
  return static_cast<uint32_t>(
      crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

/// Of a header in which the checksum itself is zero.
uint32_t crc_of_header(const std::string& header) {
  return add_to_crc(0, std::as_bytes(std::span(header)));
}

std::string checksum_text(uint32_t crc) {
  char text[16];
  std::snprintf(text, sizeof text, "crc32:%08x", crc);
  return text;
}

/// Where the value of the checksum lies in a header as we write it; npos where it does not.
size_t find_checksum(const std::string& header) {
  const std::string key = cat('"', kChecksumKey, "\":\"");
  const size_t at = header.find(key);
  const size_t value = at + key.size();
  return at == header.npos || value + kNoChecksum.size() > header.size() ? header.npos : value;
}

// ---- Reading

struct Entry {
  std::string name;
  const Stored* stored;
  Shape shape;
  uint64_t begin, end;
};

class Reader {
 public:
  Reader(std::istream& in, const std::string& name) : name_(name), in_(in) {
    in_.seekg(0, std::ios::end);
    if (!in_) fail("cannot be read");
    size_ = static_cast<uint64_t>(in_.tellg());
    in_.seekg(0);
  }

  SafeTensors read() {
    read_header();
    SafeTensors file;
    const Json json = parse_header();
    std::vector<Entry> entries;
    for (const auto& [key, value] : json.items()) {
      if (key == kMetadataKey)
        file.metadata = metadata(value);
      else
        entries.push_back(entry(key, value));
    }
    const std::vector<size_t> order = order_in_file(entries);
    const bool checked = file.metadata.contains(std::string(kChecksumKey));
    uint32_t crc = checked ? crc_without_checksum() : 0;
    file.tensors.resize(entries.size());
    for (size_t i : order)
      file.tensors[i] = {entries[i].name, read_tensor(entries[i], checked, crc)};
    if (checked) {
      const auto stated = file.metadata.extract(std::string(kChecksumKey)).mapped();
      if (stated != checksum_text(crc))
        fail(cat("is damaged: its checksum is ", checksum_text(crc), ", its header says ", stated,
                 " (a program that rewrites it must drop the metadata key `", kChecksumKey, "`)"));
    }
    return file;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw UserError(cat(name_, ": ", problem));
  }
  [[noreturn]] void fail(const std::string& tensor, const std::string& problem) const {
    fail(cat("tensor `", tensor, "`: ", problem));
  }

  void read_bytes(void* to, uint64_t size) {
    if (!in_.read(static_cast<char*>(to), static_cast<std::streamsize>(size)))
      fail("cannot be read to its end");
  }

  void read_header() {
    if (size_ < 8) fail(cat("is truncated: ", size_, " bytes are not a safetensors file"));
    uint64_t length = 0;
    read_bytes(&length, 8);
    if (length < 2 || length > kLargestHeader)
      fail(cat("is not a safetensors file: a header of ", length, " bytes"));
    if (length > size_ - 8)
      fail(cat("is truncated: its header of ", length, " bytes reaches beyond its ", size_,
               " bytes"));
    header_.resize(length);
    read_bytes(header_.data(), length);
    data_size_ = size_ - 8 - length;
  }

  /// nlohmann's parser keeps the last of equal keys: they are looked for while it parses.
  Json parse_header() const {
    std::vector<std::set<std::string>> keys;
    const auto check = [&](int, Json::parse_event_t event, Json& parsed) {
      if (event == Json::parse_event_t::object_start) keys.emplace_back();
      if (event == Json::parse_event_t::object_end) keys.pop_back();
      if (event == Json::parse_event_t::key &&
          !keys.back().insert(parsed.get<std::string>()).second)
        fail(cat("its header has `", parsed.get<std::string>(), "` twice"));
      return true;
    };
    try {
      Json json = Json::parse(header_, check);
      if (!json.is_object()) fail("its header is not a JSON object");
      return json;
    } catch (const Json::exception& e) {
      fail(cat("its header is not JSON: ", e.what()));
    }
  }

  std::map<std::string, std::string> metadata(const Json& json) const {
    std::map<std::string, std::string> out;
    if (!json.is_object()) fail("`__metadata__` is not a map");
    for (const auto& [key, value] : json.items()) {
      if (!value.is_string()) fail(cat("`__metadata__.", key, "` is not a string"));
      out[key] = value.get<std::string>();
    }
    return out;
  }

  std::vector<uint64_t> numbers(const std::string& tensor, const Json& json,
                                const char* key) const {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_array())
      fail(tensor, cat("`", key, "` is missing or not a list"));
    std::vector<uint64_t> out;
    for (const Json& x : *found) {
      if (!x.is_number_unsigned()) fail(tensor, cat("`", key, "` has ", x.dump()));
      out.push_back(x.get<uint64_t>());
    }
    return out;
  }

  Entry entry(const std::string& name, const Json& json) const {
    if (!json.is_object()) fail(name, "its entry in the header is not a map");
    const auto type = json.find("dtype");
    if (type == json.end() || !type->is_string()) fail(name, "`dtype` is missing or not a string");
    const auto type_name = type->get<std::string>();
    const Stored* stored = find_stored(type_name);
    if (!stored) fail(name, cat("has the type ", type_name, ", which is not supported"));
    auto bytes = static_cast<int64_t>(stored->size);
    Shape shape;
    for (uint64_t d : numbers(name, json, "shape")) {
      if (d > uint64_t{1} << 48 || __builtin_mul_overflow(bytes, static_cast<int64_t>(d), &bytes))
        fail(name, "its shape is beyond any memory");
      shape.push_back(static_cast<int64_t>(d));
    }
    const auto offsets = numbers(name, json, "data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1])
      fail(name, "`data_offsets` is not [begin, end]");
    if (offsets[1] > data_size_)
      fail(name, cat("ends at byte ", offsets[1], " of ", data_size_,
                     ": out of range (is the file truncated?)"));
    if (offsets[1] - offsets[0] != static_cast<uint64_t>(bytes))
      fail(name, cat("has ", offsets[1] - offsets[0], " bytes; its type ", type_name,
                     to_string(shape), " needs ", bytes));
    return {name, stored, shape, offsets[0], offsets[1]};
  }

  /// The bytes of all tensors must fill the file, each once.
  std::vector<size_t> order_in_file(const std::vector<Entry>& entries) const {
    std::vector<size_t> order(entries.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, {},
                             [&](size_t i) { return std::pair(entries[i].begin, entries[i].end); });
    uint64_t at = 0;
    const Entry* before = nullptr;
    for (size_t i : order) {
      const Entry& e = entries[i];
      if (e.begin < at) fail(e.name, cat("overlaps `", before->name, "`"));
      if (e.begin > at) fail(e.name, cat("begins behind a hole of ", e.begin - at, " bytes"));
      at = e.end;
      before = &e;
    }
    if (at != data_size_) fail(cat(data_size_ - at, " bytes behind the last tensor"));
    return order;
  }

  uint32_t crc_without_checksum() const {
    std::string header = header_;
    const size_t at = find_checksum(header);
    if (at != header.npos) header.replace(at, kNoChecksum.size(), kNoChecksum);
    return crc_of_header(header);
  }

  HostTensor read_tensor(const Entry& e, bool checked, uint32_t& crc) {
    HostTensor out(Type{e.stored->dtype, e.shape});
    const bool same = e.stored->size == size_of(e.stored->dtype);
    std::vector<std::byte> raw(same ? 0 : e.end - e.begin);
    std::vector<std::byte>& bytes = same ? out.bytes : raw;
    read_bytes(bytes.data(), bytes.size());
    if (checked) crc = add_to_crc(crc, bytes);
    if (!same && !convert(*e.stored, raw, out))
      fail(e.name, cat("its ", e.stored->name, " values do not fit into 32 bits"));
    return out;
  }

  const std::string& name_;
  std::istream& in_;
  uint64_t size_ = 0, data_size_ = 0;
  std::string header_;
};

// ---- Writing

/// Widest elements first: each tensor then lies at a multiple of its element's size.
std::vector<const NamedTensor*> order_to_write(const SafeTensors& file) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& t : file.tensors) order.push_back(&t);
  std::ranges::stable_sort(order, std::greater<>(),
                           [](const NamedTensor* t) { return size_of(t->tensor.type.dtype); });
  return order;
}

std::string make_header(const SafeTensors& file, const std::vector<const NamedTensor*>& order) {
  std::map<std::string_view, std::pair<size_t, size_t>> offsets;
  size_t at = 0;
  for (const NamedTensor* t : order) {
    const size_t end = at + t->tensor.bytes.size();
    if (t->name == kMetadataKey || !offsets.try_emplace(t->name, at, end).second)
      throw std::logic_error("safetensors: tensor name " + t->name);
    at = end;
  }
  Json json;
  Json& metadata = json[kMetadataKey];
  metadata[std::string(kChecksumKey)] = kNoChecksum;
  for (const auto& [key, value] : file.metadata) metadata[key] = value;
  for (const NamedTensor& t : file.tensors) {
    const auto [begin, end] = offsets.at(t.name);
    json[t.name] = {{"dtype", stored_name(t.tensor.type.dtype)},
                    {"shape", t.tensor.type.shape},
                    {"data_offsets", {begin, end}}};
  }
  std::string header = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

}  // namespace

const HostTensor* SafeTensors::find(std::string_view name) const {
  const auto found = std::ranges::find(tensors, name, &NamedTensor::name);
  return found == tensors.end() ? nullptr : &found->tensor;
}

SafeTensors read_safetensors(std::istream& in, const std::string& name) {
  return Reader(in, name).read();
}

SafeTensors read_safetensors(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in || std::filesystem::is_directory(path))
    throw UserError(path.string() + ": cannot be opened");
  return read_safetensors(in, path.string());
}

void write_safetensors(const std::filesystem::path& path, const SafeTensors& file) {
  const auto order = order_to_write(file);
  std::string header = make_header(file, order);
  uint32_t crc = crc_of_header(header);
  for (const NamedTensor* t : order) crc = add_to_crc(crc, t->tensor.bytes);
  header.replace(find_checksum(header), kNoChecksum.size(), checksum_text(crc));

  AtomicFile out(path);
  const uint64_t length = header.size();
  out.write(std::as_bytes(std::span(&length, 1)));
  out.write(header);
  for (const NamedTensor* t : order) out.write(t->tensor.bytes);
  out.commit();
}

}  // namespace latent
