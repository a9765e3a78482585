#include "core/device/live_memory.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <stdexcept>

#include "core/base/error.h"
#include "core/device/sanitizer.h"

namespace latent {

namespace {

constexpr std::byte kDead{0xFF};
constexpr size_t kPage = 4096;

/// Calls visit(p, kept, bytes) for the live ranges in pieces of a page, until it returns false.
template <class Ranges, class Kept, class Visit>
void each_page(const Ranges& live, Kept* kept, const Visit& visit) {
  for (const auto& [begin, bytes] : live) {
    for (size_t done = 0; done < bytes; done += kPage) {
      const size_t piece = std::min(kPage, bytes - done);
      if (!visit(begin + done, kept, piece)) return;
      kept += piece;
    }
  }
}

}  // namespace

void LiveMemory::add(void* p, size_t bytes) {
  auto* begin = static_cast<std::byte*>(p);
  allocations_[begin] = bytes;
  if (bytes > 0) live_[begin] = bytes;
}

void LiveMemory::remove(void* p) {
  const auto it = allocations_.find(static_cast<std::byte*>(p));
  if (it == allocations_.end()) return;
  remove_live(it->first, it->first + it->second);
  asan::unpoison(it->first, it->second);
  allocations_.erase(it);
}

LiveMemory::Ranges::const_iterator LiveMemory::allocation_of(const std::byte* p,
                                                             size_t bytes) const {
  auto it = allocations_.upper_bound(const_cast<std::byte*>(p));
  if (it == allocations_.begin() || (--it, p + bytes > it->first + it->second))
    throw std::logic_error(
        cat("simt: ", bytes, " bytes at ", static_cast<const void*>(p), " are in no allocation"));
  return it;
}

LiveMemory::Place LiveMemory::place(const std::byte* p) const {
  const auto it = allocation_of(p, 1);
  return {static_cast<size_t>(p - it->first), it->second};
}

void LiveMemory::remove_live(std::byte* begin, std::byte* end) {
  auto it = live_.lower_bound(begin);
  if (it != live_.begin() && std::prev(it)->first + std::prev(it)->second > begin) --it;
  while (it != live_.end() && it->first < end) {
    std::byte *const from = it->first, *const to = from + it->second;
    it = live_.erase(it);
    if (from < begin) live_[from] = static_cast<size_t>(begin - from);
    if (to > end) live_[end] = static_cast<size_t>(to - end);
  }
}

void LiveMemory::poison(void* p, size_t bytes) {
  if (bytes == 0) return;
  auto* begin = static_cast<std::byte*>(p);
  allocation_of(begin, bytes);
  remove_live(begin, begin + bytes);
  asan::unpoison(begin, bytes);
  std::fill_n(begin, bytes, kDead);
  asan::poison(begin, bytes);
}

void LiveMemory::unpoison(void* p, size_t bytes) {
  if (bytes == 0) return;
  auto *begin = static_cast<std::byte*>(p), *end = begin + bytes;
  allocation_of(begin, bytes);
  asan::unpoison(begin, bytes);
  auto next = live_.lower_bound(begin);
  if (next != live_.begin() && std::prev(next)->first + std::prev(next)->second >= begin) --next;
  while (next != live_.end() && next->first <= end) {
    begin = std::min(begin, next->first);
    end = std::max(end, next->first + next->second);
    next = live_.erase(next);
  }
  live_[begin] = static_cast<size_t>(end - begin);
}

void LiveMemory::save() {
  size_t bytes = 0;
  for (const auto& range : live_) bytes += range.second;
  kept_.resize(bytes);
  each_page(live_, kept_.data(), [](const std::byte* p, std::byte* kept, size_t n) {
    std::memcpy(kept, p, n);
    return true;
  });
}

void LiveMemory::swap() {
  each_page(live_, kept_.data(), [](std::byte* p, std::byte* kept, size_t n) {
    if (std::memcmp(p, kept, n) != 0) std::swap_ranges(p, p + n, kept);
    return true;
  });
}

std::optional<LiveMemory::Place> LiveMemory::difference() const {
  std::optional<Place> found;
  each_page(live_, kept_.data(), [&](const std::byte* p, const std::byte* kept, size_t n) {
    if (std::memcmp(p, kept, n) == 0) return true;
    found = place(std::mismatch(p, p + n, kept).first);
    return false;
  });
  return found;
}

std::optional<LiveMemory::Place> LiveMemory::dead_write() const {
  if (LATENT_ASAN) return std::nullopt;
  auto live = live_.begin();
  for (const auto& [start, bytes] : allocations_) {
    for (std::byte *p = start, *const end = start + bytes; p < end;) {
      while (live != live_.end() && live->first + live->second <= p) ++live;
      if (live != live_.end() && live->first <= p) {
        p = live->first + live->second;
        continue;
      }
      std::byte* const stop = live == live_.end() ? end : std::min(end, live->first);
      p = std::find_if(p, stop, [](std::byte b) { return b != kDead; });
      if (p != stop) return place(p);
    }
  }
  return std::nullopt;
}

}  // namespace latent
