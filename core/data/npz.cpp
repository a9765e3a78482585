// The zip archive around NPY files (PKWARE's APPNOTE): stored or deflated members, Zip64 where sizes need it.
#include <zlib.h>

#include <algorithm>

#include "core/base/spelling.h"
#include "core/data/npy.h"
#include "core/io/read_file.h"

namespace latent {
namespace {

constexpr uint32_t kEnd = 0x06054b50, kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr uint32_t kCentral = 0x02014b50, kLocal = 0x04034b50;

/// A little endian number of n bytes; 0 beyond the end, which no signature is.
uint64_t number(std::string_view bytes, size_t at, size_t n) {
  if (at > bytes.size() || bytes.size() - at < n) return 0;
  uint64_t x = 0;
  for (size_t i = n; i-- > 0;) x = x << 8 | static_cast<uint8_t>(bytes[at + i]);
  return x;
}

/// Where the end record begins: it is the last thing but a comment of at most 64 KiB.
size_t find_end(std::string_view bytes) {
  constexpr size_t kSize = 22;
  for (size_t i = kSize; i <= std::min(bytes.size(), kSize + 65535); ++i)
    if (number(bytes, bytes.size() - i, 4) == kEnd) return bytes.size() - i;
  return bytes.npos;
}

}  // namespace

Npz::Npz(const std::filesystem::path& path) : Npz(read_file(path), path.string()) {}

Npz::Npz(std::string bytes, std::string name) : name_(std::move(name)), bytes_(std::move(bytes)) {
  read_directory();
}

void Npz::fail(const std::string& problem) const { throw UserError(cat(name_, ": ", problem)); }

void Npz::read_directory() {
  const size_t end = find_end(bytes_);
  if (end == bytes_.npos) fail("is not a zip archive (.npz), or truncated: it has no directory");
  uint64_t count = number(bytes_, end + 10, 2), at = number(bytes_, end + 16, 4);
  if (end >= 20 && number(bytes_, end - 20, 4) == kLocator64) {
    const uint64_t end64 = number(bytes_, end - 12, 8);
    if (number(bytes_, end64, 4) != kEnd64) fail("is damaged: its Zip64 directory is missing");
    count = number(bytes_, end64 + 32, 8);
    at = number(bytes_, end64 + 48, 8);
  }
  size_t place = at;
  for (uint64_t i = 0; i < count; ++i) {
    Member member = read_member(place);
    if (!member.name.ends_with(".npy")) continue;
    member.name.resize(member.name.size() - 4);
    members_.push_back(std::move(member));
  }
}

/// The entry of the directory at `at`, which moves behind it.
Npz::Member Npz::read_member(size_t& at) const {
  if (number(bytes_, at, 4) != kCentral) fail("is damaged: its directory is cut short");
  Member m{.name = "",
           .flags = static_cast<uint16_t>(number(bytes_, at + 8, 2)),
           .method = static_cast<uint16_t>(number(bytes_, at + 10, 2)),
           .crc = static_cast<uint32_t>(number(bytes_, at + 16, 4)),
           .packed = number(bytes_, at + 20, 4),
           .size = number(bytes_, at + 24, 4),
           .offset = number(bytes_, at + 42, 4)};
  const size_t name = number(bytes_, at + 28, 2), extra = number(bytes_, at + 30, 2),
               comment = number(bytes_, at + 32, 2);
  if (bytes_.size() - at < 46 + name + extra + comment)
    fail("is damaged: its directory is cut short");
  m.name = bytes_.substr(at + 46, name);
  // Zip64: the sizes that do not fit above, in this order.
  const size_t extras_end = at + 46 + name + extra;
  for (size_t e = at + 46 + name; e + 4 <= extras_end; e += 4 + number(bytes_, e + 2, 2)) {
    if (number(bytes_, e, 2) != 1) continue;
    size_t field = e + 4;
    for (uint64_t* x : {&m.size, &m.packed, &m.offset})
      if (*x == 0xffffffff) {
        *x = number(bytes_, field, 8);
        field += 8;
      }
  }
  at = extras_end + comment;
  return m;
}

std::string_view Npz::packed_bytes(const Member& m) const {
  if (number(bytes_, m.offset, 4) != kLocal)
    fail(cat("`", m.name, "` is not where the directory says"));
  const uint64_t begin =
      m.offset + 30 + number(bytes_, m.offset + 26, 2) + number(bytes_, m.offset + 28, 2);
  if (begin > bytes_.size() || m.packed > bytes_.size() - begin)
    fail(cat("is truncated inside `", m.name, "`"));
  return std::string_view(bytes_).substr(begin, m.packed);
}

std::vector<std::string> Npz::keys() const {
  std::vector<std::string> out;
  for (const Member& m : members_) out.push_back(m.name);
  return out;
}

bool Npz::has(const std::string& key) const {
  return std::ranges::find(members_, key, &Member::name) != members_.end();
}

HostTensor Npz::at(const std::string& key) const { return parse_npy(contents(key), place(key)); }

std::string Npz::text(const std::string& key) const {
  return parse_npy_text(contents(key), place(key));
}

std::string Npz::place(const std::string& key) const { return cat(name_, ": `", key, "`"); }

std::string Npz::contents(const std::string& key) const {
  const auto found = std::ranges::find(members_, key, &Member::name);
  if (found == members_.end())
    fail(cat("has no array `", key, "`; it has ", join(keys(), ", "), did_you_mean(key, keys())));
  const std::string where = place(key);
  if (found->flags & 1) throw UserError(where + ": is encrypted");
  const std::string_view packed = packed_bytes(*found);
  std::string data;
  if (found->method == 8)
    data = inflate_raw(packed, found->size, where);
  else if (found->method != 0 || found->packed != found->size)
    throw UserError(cat(where, ": is compressed by method ", found->method,
                        "; supported are stored and deflated"));
  else
    data = packed;
  const auto crc =
      crc32_z(crc32(0, nullptr, 0), reinterpret_cast<const Bytef*>(data.data()), data.size());
  if (crc != found->crc) throw UserError(where + ": is damaged: its checksum is another one");
  return data;
}

std::string Npz::only_key(const std::vector<std::string>& except) const {
  std::vector<std::string> found = keys();
  std::erase_if(found, [&](const std::string& key) {
    return std::ranges::find(except, key) != except.end();
  });
  if (found.size() == 1) return found.front();
  if (found.empty()) fail("has no array");
  fail(cat("has the arrays ", join(found, ", "), ": say which one with `key`"));
}

}  // namespace latent
