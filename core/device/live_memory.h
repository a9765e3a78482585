// What the simulated GPU knows of its memory: allocations, which bytes of them are live, and the
// state from before a launch, to run it again.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

namespace latent {

class LiveMemory {
 public:
  /// Where two runs of a launch differ, or where a dead byte was written.
  struct Place {
    size_t offset = 0;            ///< from the start of the allocation
    size_t allocation_bytes = 0;  ///< its size
  };

  /// All bytes of a new allocation are live.
  void add(void* p, size_t bytes);
  void remove(void* p);
  /// Dead bytes become NaN. Throws std::logic_error outside of an allocation.
  void poison(void* p, size_t bytes);
  /// Bytes that were dead are NaN.
  void unpoison(void* p, size_t bytes);

  /// Keeps the live bytes.
  void save();
  /// Brings back the saved bytes and keeps what was there instead.
  void swap();
  /// The first place where live bytes are not the kept ones.
  std::optional<Place> difference() const;
  /// The first dead byte that is no longer as poison() left it. Under AddressSanitizer, which
  /// reports the write itself, none.
  std::optional<Place> dead_write() const;

 private:
  using Ranges = std::map<std::byte*, size_t>;  ///< start to bytes; neighbours are merged

  Ranges::const_iterator allocation_of(const std::byte* p, size_t bytes) const;
  Place place(const std::byte* p) const;
  void remove_live(std::byte* begin, std::byte* end);

  Ranges allocations_, live_;
  std::vector<std::byte> kept_;
};

}  // namespace latent
