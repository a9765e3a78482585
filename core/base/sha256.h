// SHA-256 (FIPS 180-4), streaming: identities of configurations and of data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace latent {

class Sha256 {
 public:
  /// Adds bytes; the pieces in which they come do not matter.
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  /// The digest of what was added so far, 64 hexadecimal digits; more may be added afterwards.
  std::string hex() const;

 private:
  void block(const std::byte* bytes);

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> buffer_{};
  uint64_t length_ = 0;  ///< bytes added
};

std::string sha256_hex(std::span<const std::byte> bytes);
std::string sha256_hex(std::string_view text);

}  // namespace latent
