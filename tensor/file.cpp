#include "tensor/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tensor/error.h"

namespace fer {

namespace {

[[noreturn]] void fail_writing(const std::filesystem::path& target, int error) {
  fail("file: cannot write ", target.string(), ": ", std::strerror(error));
}

[[noreturn]] void fail_reading(const std::filesystem::path& path, int error) {
  fail("file: cannot read ", path.string(), ": ", std::strerror(error));
}

std::filesystem::path folder_of(const std::filesystem::path& target) {
  return target.has_parent_path() ? target.parent_path() : std::filesystem::path(".");
}

// Two threads or processes that write the same target at once each get a name of their own.
std::filesystem::path temporary_name(const std::filesystem::path& target) {
  static std::atomic<unsigned> counter = 0;
  return folder_of(target) /
         ("." + target.filename().string() + "." + std::to_string(getpid()) + "." + std::to_string(counter++) + ".tmp");
}

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (descriptor_ >= 0) {
      close(descriptor_);
    }
  }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path target) : target_(std::move(target)), temporary_(temporary_name(target_)) {
  struct stat status {};
  // Renaming over a device or a folder would replace or fail on it; say so before any work is done.
  if (stat(target_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    fail("file: cannot write ", target_.string(), ": it exists and is no regular file");
  }
  descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    fail_writing(target_, errno);
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) {
    close(descriptor_);
    unlink(temporary_.c_str());
  }
}

void AtomicFile::write(const void* data, size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, next, bytes);
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      fail_writing(target_, errno);
    }
    next += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (fsync(descriptor_) != 0) {
    fail_writing(target_, errno);
  }
  if (rename(temporary_.c_str(), target_.c_str()) != 0) {
    fail_writing(target_, errno);
  }
  const int error = close(std::exchange(descriptor_, -1)) == 0 ? 0 : errno;
  if (error != 0 && error != EINTR) {
    fail_writing(target_, error);
  }
  // The new name is on the disk only once its folder is; file systems that cannot sync folders say EINVAL.
  const Descriptor folder(open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0 && fsync(folder.get()) != 0 && errno != EINVAL) {
    fail_writing(target_, errno);
  }
}

void write_file(const std::filesystem::path& target, std::string_view text) {
  AtomicFile file(target);
  file.write(text);
  file.commit();
}

std::string read_file(const std::filesystem::path& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    fail_reading(path, errno);
  }
  struct stat status {};
  if (fstat(file.get(), &status) != 0) {
    fail_reading(path, errno);
  }
  // One byte more than the size, so that a regular file ends in the first round; pipes grow as they are read.
  std::string text(static_cast<size_t>(std::max<off_t>(status.st_size, 4095)) + 1, '\0');
  size_t filled = 0;
  while (true) {
    if (filled == text.size()) {
      text.resize(2 * text.size());
    }
    const ssize_t count = read(file.get(), text.data() + filled, text.size() - filled);
    if (count < 0) {
      if (errno == EINTR) {
        continue;
      }
      fail_reading(path, errno);
    }
    if (count == 0) {
      text.resize(filled);
      return text;
    }
    filled += static_cast<size_t>(count);
  }
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    fail_reading(path, errno);
  }
  struct stat status {};
  if (fstat(file.get(), &status) != 0) {
    fail_reading(path, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    fail("file: cannot read ", path.string(), ": it is no regular file");
  }
  if (status.st_size == 0) {
    return;
  }
  const size_t size = static_cast<size_t>(status.st_size);
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) {
    fail_reading(path, errno);
  }
  bytes_ = {static_cast<const std::byte*>(data), size};
}

void MappedFile::forget() const {
  if (!bytes_.empty()) {
    madvise(const_cast<std::byte*>(bytes_.data()), bytes_.size(), MADV_DONTNEED);
  }
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) {
    munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
}

}  // namespace fer
