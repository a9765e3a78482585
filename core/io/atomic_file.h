// Files that are either whole or not there: written under a temporary name, synced, then renamed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace latent {

/// `AtomicFile f(path); f.write(...); f.commit();`. Until commit the old file, or none, is there; a file that is not
/// committed leaves nothing behind. Writers of one path wait for each other. Every failure is a UserError with the
/// path and the reason.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Syncs the bytes, gives the file its name, syncs the folder.
  void commit();

 private:
  void open();
  [[noreturn]] void fail(int error);

  std::filesystem::path path_, temporary_;
  int file_ = -1;
};

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

}  // namespace latent
