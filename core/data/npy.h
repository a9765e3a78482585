// NumPy's files: NPY (one array, versions 1 to 3) and NPZ (a zip archive of them).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor/host_tensor.h"

namespace latent {

/// bool and u1 as u8, f2, f4 and f8 as they are, other integers as i32 where all values fit, else as f64. Fortran order
/// is transposed, big endian swapped. Objects, text, complex numbers and records are refused by name (UserError), and so
/// is a file that holds less or more than its header says.
HostTensor parse_npy(std::string_view bytes, const std::string& where);
HostTensor read_npy(const std::filesystem::path& path);
/// The text of an array of one element of bytes, dtype `|S3`.
std::string parse_npy_text(std::string_view bytes, const std::string& where);
/// An f32 array as NPY bytes.
std::string npy_bytes(const HostTensor& array);

/// An archive of named arrays, read whole.
class Npz {
 public:
  /// Throws UserError where it is not a zip archive.
  explicit Npz(const std::filesystem::path& path);
  Npz(std::string bytes, std::string name);

  std::vector<std::string> keys() const;
  bool has(const std::string& key) const;
  /// The array of a key. Throws UserError: no such key (naming those there are), a damaged member.
  HostTensor at(const std::string& key) const;
  /// The text of a key whose array is one element of bytes.
  std::string text(const std::string& key) const;
  /// The array's name where there is only one, those `except` left out; else UserError that lists them.
  std::string only_key(const std::vector<std::string>& except = {}) const;

 private:
  struct Member {
    std::string name;
    uint16_t flags, method;
    uint32_t crc;
    uint64_t packed, size, offset;
  };
  void read_directory();
  Member read_member(size_t& at) const;
  std::string_view packed_bytes(const Member& member) const;
  /// The NPY file of a key, and what it is called in errors.
  std::string contents(const std::string& key) const;
  std::string place(const std::string& key) const;
  [[noreturn]] void fail(const std::string& problem) const;

  std::string name_, bytes_;
  std::vector<Member> members_;  ///< those called *.npy
};

}  // namespace latent
