// Whole files in memory, plain or gzip.
#pragma once

#include <filesystem>
#include <string>

namespace latent {

/// The bytes of a file. UserError with the path and the reason.
std::string read_file(const std::filesystem::path& path);

/// The same, decompressed where the file begins like gzip (whatever its name). A truncated or damaged stream, or bytes
/// behind it, is a UserError with the path.
std::string read_gzip_file(const std::filesystem::path& path);

/// Decompresses a raw deflate stream that must give exactly `size` bytes. `where` begins the message of the UserError.
std::string inflate_raw(std::string_view compressed, size_t size, const std::string& where);

}  // namespace latent
