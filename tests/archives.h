// Bytes of NPY and NPZ files, for tests of readers.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace latent {

/// The bytes of values.
template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}
template <class T>
std::string raw(std::initializer_list<T> values) {
  return raw(std::vector<T>(values));
}

inline std::string deflated(const std::string& bytes, int window_bits) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string npy(const std::string& header, const std::string& data, int version = 1) {
  std::string out = "\x93NUMPY";
  out += {static_cast<char>(version), '\0'};
  const size_t n = header.size();
  out += {static_cast<char>(n & 255), static_cast<char>(n >> 8)};
  if (version > 1) out += std::string(2, '\0');
  return out + header + data;
}
inline std::string npy_of(const std::string& descr, const std::string& shape,
                          const std::string& data, const std::string& order = "False") {
  return npy(
      "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }  \n",
      data);
}

/// A zip archive: `method` 0 or 8.
inline std::string zip(const std::vector<std::pair<std::string, std::string>>& members,
                       uint16_t method) {
  std::string out, directory;
  for (const auto& [name, bytes] : members) {
    const std::string packed = method == 8 ? deflated(bytes, -MAX_WBITS) : bytes;
    const auto crc = static_cast<uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
    const std::string common = raw<uint16_t>({20, 0, method, 0, 0}) + raw<uint32_t>({crc}) +
                               raw<uint32_t>({static_cast<uint32_t>(packed.size())}) +
                               raw<uint32_t>({static_cast<uint32_t>(bytes.size())}) +
                               raw<uint16_t>({static_cast<uint16_t>(name.size()), 0});
    const auto offset = static_cast<uint32_t>(out.size());
    out += "PK\3\4" + common + name + packed;
    directory += "PK\1\2" + raw<uint16_t>({20}) + common + raw<uint16_t>({0, 0, 0}) +
                 raw<uint32_t>({0, offset}) + name;
  }
  const auto n = static_cast<uint16_t>(members.size());
  const auto at = static_cast<uint32_t>(out.size()), size = static_cast<uint32_t>(directory.size());
  return out + directory + "PK\5\6" + raw<uint16_t>({0, 0, n, n}) + raw<uint32_t>({size, at}) +
         raw<uint16_t>({0});
}

}  // namespace latent
