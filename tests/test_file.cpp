#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/temporary_folder.h"

using namespace fer;

namespace {

size_t entries_in(const std::filesystem::path& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

// Limits the size of files while it lives; writing past the limit then fails as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("file: what is written is read back, and replaces what was there") {
  const TemporaryFolder folder;
  const auto path = folder / "a.txt";
  write_file(path, "first");
  write_file(path, std::string("second\0with a zero", 18));
  CHECK(read_file(path) == std::string("second\0with a zero", 18));
  CHECK(MappedFile(path).text() == std::string("second\0with a zero", 18));
  CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("file: large and empty files") {
  const TemporaryFolder folder;
  const std::string large(3'000'001, 'x');
  write_file(folder / "large", large);
  CHECK(read_file(folder / "large") == large);
  write_file(folder / "empty", "");
  CHECK(read_file(folder / "empty").empty());
  CHECK(MappedFile(folder / "empty").bytes().empty());
}

TEST_CASE("file: nothing appears, and the old file stays, without a commit") {
  const TemporaryFolder folder;
  write_file(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("new");
    CHECK(read_file(folder / "a") == "old");
    AtomicFile other(folder / "b");
    other.write("new");
  }
  CHECK(read_file(folder / "a") == "old");
  CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("file: a failed write names the file and the reason and leaves the old file") {
  const TemporaryFolder folder;
  write_file(folder / "a", "old");
  std::string message;
  {
    const FileSizeLimit limit(1000);
    message = error_of([&] { write_file(folder / "a", std::string(5000, 'x')); });
  }
  CHECK(holds(message, (folder / "a").string(), "File too large"));
  CHECK(read_file(folder / "a") == "old");
  CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("file: missing folders, folders and devices are refused by name") {
  const TemporaryFolder folder;
  CHECK(holds(error_of([&] { write_file(folder / "no" / "a", "x"); }), "no/a", "No such file"));
  CHECK(holds(error_of([&] { write_file(folder.path(), "x"); }), folder.path().string(), "no regular file"));
  CHECK(holds(error_of([&] { write_file("/dev/null", "x"); }), "/dev/null", "no regular file"));
  CHECK(holds(error_of([&] { read_file(folder / "none"); }), "none", "No such file"));
  CHECK(holds(error_of([&] { MappedFile(folder / "none"); }), "none", "No such file"));
  CHECK(holds(error_of([&] { MappedFile(folder.path()); }), "no regular file"));
  CHECK(holds(error_of([&] { read_file(folder.path()); }), "Is a directory"));
}
