#include "core/io/read_file.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <system_error>

#include "core/base/error.h"

namespace latent {
namespace {

/// One zlib stream over `in`, which may be larger than zlib's 32-bit counts.
class Inflater {
 public:
  Inflater(std::string_view in, int window_bits) : in_(in) {
    if (inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Bytes put into `out`; fewer than asked for at the end of the stream, when `ended`, or of the input.
  size_t read(char* out, size_t size) {
    size_t done = 0;
    while (done < size && !ended_) {
      if (stream_.avail_in == 0) {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in_.data() + used_));
        stream_.avail_in = static_cast<uInt>(std::min(in_.size() - used_, kChunk));
        used_ += stream_.avail_in;
      }
      const auto wanted = static_cast<uInt>(std::min(size - done, kChunk));
      stream_.next_out = reinterpret_cast<Bytef*>(out + done);
      stream_.avail_out = wanted;
      const int code = inflate(&stream_, Z_NO_FLUSH);
      done += wanted - stream_.avail_out;
      ended_ = code == Z_STREAM_END;
      if (code == Z_BUF_ERROR) break;  // no input is left
      if (code == Z_MEM_ERROR) throw std::bad_alloc();
      if (code != Z_OK && code != Z_STREAM_END)
        throw UserError(stream_.msg ? stream_.msg : "invalid data");
    }
    return done;
  }
  bool ended() const { return ended_; }
  /// What lies behind the stream.
  std::string_view rest() const { return in_.substr(used_ - stream_.avail_in); }

 private:
  static constexpr size_t kChunk = size_t{1} << 30;
  std::string_view in_;
  size_t used_ = 0;
  bool ended_ = false;
  z_stream stream_{};
};

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

std::string gunzip(std::string_view in, const std::string& name) try {
  std::string out;
  std::string buffer(size_t{1} << 18, '\0');
  while (!in.empty()) {
    if (!is_gzip(in)) throw UserError(cat(in.size(), " bytes behind the compressed data"));
    Inflater inflater(in, 16 + MAX_WBITS);
    while (!inflater.ended()) {
      const size_t n = inflater.read(buffer.data(), buffer.size());
      out.append(buffer.data(), n);
      if (n == 0 && !inflater.ended()) throw UserError("the file is truncated");
    }
    in = inflater.rest();
  }
  return out;
} catch (const UserError& e) {
  throw UserError(cat(name, ": damaged gzip: ", e.what()));
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  const auto fail = [&](int error) -> void {
    throw UserError(
        cat(path.string(), ": cannot be read: ", std::generic_category().message(error)));
  };
  if (std::filesystem::is_directory(path)) fail(EISDIR);
  errno = 0;
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) fail(errno ? errno : EIO);
  std::string bytes(static_cast<size_t>(std::max<std::streamoff>(in.tellg(), 0)), '\0');
  in.seekg(0);
  if (!in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) fail(errno ? errno : EIO);
  return bytes;
}

std::string read_gzip_file(const std::filesystem::path& path) {
  std::string bytes = read_file(path);
  return is_gzip(bytes) ? gunzip(bytes, path.string()) : bytes;
}

std::string inflate_raw(std::string_view compressed, size_t size, const std::string& where) try {
  // Deflate cannot compress by more than 1032: a wilder claim is refused before it is allocated.
  if (size / 1032 > compressed.size()) throw UserError("the size is not true");
  std::string out(size, '\0');
  Inflater inflater(compressed, -MAX_WBITS);
  const size_t n = inflater.read(out.data(), size);
  char more = 0;
  if (n < size) throw UserError("the data ends too early");
  if (inflater.read(&more, 1) != 0) throw UserError("more data than stated");
  if (!inflater.ended()) throw UserError("the data ends too early");
  return out;
} catch (const UserError& e) {
  throw UserError(cat(where, ": ", e.what()));
}

}  // namespace latent
