// IDX, the format of MNIST: a magic number with type and rank, the dimensions, the elements, all big endian.
#pragma once

#include <filesystem>
#include <string_view>

#include "core/tensor/host_tensor.h"

namespace latent {

/// u8, f32, f64 as they are, i8, i16 and i32 as i32; .gz is decompressed. Throws UserError with the file and the
/// problem: another magic number, fewer or more bytes than the header says, a damaged gzip stream.
HostTensor read_idx(const std::filesystem::path& path);
HostTensor parse_idx(std::string_view bytes, const std::string& where);

}  // namespace latent
