// Safetensors files: named tensors behind a JSON header, as PyTorch, NumPy and Hugging Face read and write them.
//
// A file of ours is a function of its tensors and metadata to the byte, has every tensor aligned to its elements, and
// holds in its metadata a CRC-32 of all its other bytes, so that damage is found when it is read.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor/host_tensor.h"

namespace latent {

struct NamedTensor {
  std::string name;
  HostTensor tensor;
};

struct SafeTensors {
  std::vector<NamedTensor> tensors;  ///< in the order of the header
  std::map<std::string, std::string> metadata;

  /// nullptr where there is no such tensor.
  const HostTensor* find(std::string_view name) const;
};

/// Metadata key of the checksum: added by write_safetensors, checked and removed by read_safetensors.
inline constexpr std::string_view kChecksumKey = "latent.checksum";

/// Atomically (see atomic_file.h). Names must differ (std::logic_error).
void write_safetensors(const std::filesystem::path& path, const SafeTensors& file);

/// F32 F64 F16 BF16 U8 I32 U64 are kept; BOOL becomes u8; I8, I16, U16 become i32, and so does I64 (PyTorch's
/// counters), where its values fit. Everything that the format does not allow is a UserError that names the file and
/// the problem: truncation, a header that is not what it should be, overlapping, out of range or missing bytes, a
/// size that is not that of shape and type, an unknown type, a name twice, a wrong checksum.
SafeTensors read_safetensors(const std::filesystem::path& path);
/// From a stream that can seek; `name` stands in messages.
SafeTensors read_safetensors(std::istream& in, const std::string& name);

}  // namespace latent
