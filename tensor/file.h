// Files that are either whole or absent: written beside the target, synced, renamed; and read-only mappings.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace fer {

// Writes a file that appears under its name only once complete. A crash, a full disk or an exception before
// commit() leaves the old file (or none) untouched and removes the temporary one.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path target);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  // Throws Error naming the file and the system's reason ("No space left on device").
  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }

  // Syncs and renames over the target.
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

// Writes `text` to `target` through AtomicFile.
void write_file(const std::filesystem::path& target, std::string_view text);

// The whole file as a string; throws naming the file when it cannot be read.
std::string read_file(const std::filesystem::path& path);

// A file mapped read-only. Throws naming the file when it is missing or unreadable.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

  // Gives the pages read so far back to the system; they are read again when needed. Keeps a pass over a large file
  // from making all of it resident.
  void forget() const;
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace fer
