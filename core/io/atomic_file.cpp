#include "core/io/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/base/error.h"

namespace latent {
namespace {

namespace fs = std::filesystem;

fs::path folder_of_file(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

bool is_the_file_at(int file, const fs::path& path) {
  struct stat open_file {
  }, named{};
  return fstat(file, &open_file) == 0 && stat(path.c_str(), &named) == 0 &&
         open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

/// The name is durable only when its folder is. Some file systems have no sync of a folder.
void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

}  // namespace

AtomicFile::AtomicFile(fs::path path)
    : path_(std::move(path)),
      temporary_(folder_of_file(path_) / cat(".", path_.filename().string(), ".tmp")) {
  if (fs::is_directory(path_)) fail(EISDIR);
  open();
}

// The temporary name is fixed, so that what a killed process left is written over. Another writer may hold it: then we
// wait, and begin again when it has been renamed meanwhile.
void AtomicFile::open() {
  for (;;) {
    file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (file_ < 0) fail(errno);
    while (::flock(file_, LOCK_EX) != 0 && errno == EINTR) {
    }
    if (is_the_file_at(file_, temporary_)) break;
    ::close(file_);
    file_ = -1;
  }
  if (::ftruncate(file_, 0) != 0) fail(errno);
}

AtomicFile::~AtomicFile() {
  if (file_ < 0) return;
  ::unlink(temporary_.c_str());
  ::close(file_);
}

void AtomicFile::fail(int error) {
  if (file_ >= 0) {
    ::unlink(temporary_.c_str());
    ::close(file_);
    file_ = -1;
  }
  throw UserError(
      cat(path_.string(), ": cannot be written: ", std::generic_category().message(error)));
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  if (file_ < 0) throw std::logic_error("AtomicFile: write after commit");
  while (!bytes.empty()) {
    const ssize_t n = ::write(file_, bytes.data(), std::min<size_t>(bytes.size(), size_t{1} << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail(n < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::commit() {
  if (file_ < 0) throw std::logic_error("AtomicFile: committed twice");
  if (::fsync(file_) != 0 && errno != EINVAL) fail(errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
  // The lock goes with the descriptor, after the rename. A full disk may only be told here.
  const int file = std::exchange(file_, -1);
  if (::close(file) != 0 && errno != EINTR) fail(errno);
  sync_folder(folder_of_file(path_));
}

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace latent
