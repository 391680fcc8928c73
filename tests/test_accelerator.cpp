// Why there is no GPU: each reason in words that say what would be right.
#include <doctest/doctest.h>

#include "tensor/file.h"
#include "tests/device.h"
#include "tests/temporary_folder.h"

namespace fer::test {

namespace {

void check_reason(const FoundAccelerator& found, std::initializer_list<const char*> words) {
  INFO(found.reason);
  CHECK(found.accelerator == nullptr);
  for (const char* word : words) {
    CAPTURE(word);
    CHECK(found.reason.find(word) != std::string::npos);
  }
}

std::filesystem::path built_library() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libfer_cuda.so";
}

}  // namespace

TEST_CASE("accelerator: a library that is missing, damaged, or not ours") {
  const TemporaryFolder folder;
  check_reason(open_accelerator(folder / "none.so"), {"none.so", "cannot be opened", "No such file"});
  write_file(folder / "text.so", "not a library");
  check_reason(open_accelerator(folder / "text.so"), {"text.so", "cannot be opened"});
  check_reason(open_accelerator("libm.so.6"), {"libm.so.6", "is not Ferrotype's CUDA library"});
}

TEST_CASE("accelerator: the library that was built opens, and says why there is no GPU") {
  if (!std::filesystem::exists(built_library())) {
    MESSAGE("skipped: this build has no libfer_cuda.so");
    return;
  }
  check_reason(open_accelerator(built_library(), "0123456789abcdef"),
               {"built from other sources", "0123456789abcdef", "./dev build"});
  const FoundAccelerator found = open_accelerator(built_library());
  if (found.accelerator) {
    CHECK(found.accelerator->compute_capability() >= 80);
    CHECK(found.accelerator->free_bytes() <= found.accelerator->total_bytes());
  } else {
    INFO(found.reason);
    CHECK((found.reason.find("driver") != std::string::npos || found.reason.find("NVIDIA") != std::string::npos));
  }
}

TEST_CASE("accelerator: without one, auto is the CPU and cuda is refused with the reason") {
  const ReplacedAccelerator none(FoundAccelerator{nullptr, "it is in the other machine"});
  CHECK(unavailable_reason(Device::cuda) == "it is in the other machine");
  CHECK(unavailable_reason(Device::cpu).empty());
  CHECK(parse_device("auto") == Device::cpu);
  CHECK(accelerator_for(Device::cpu) == nullptr);
  const char* refused = "device cuda is unavailable: it is in the other machine; use --device cpu";
  CHECK_THROWS_WITH_AS(parse_device("cuda"), refused, Error);
  CHECK_THROWS_WITH_AS(accelerator_for(Device::cuda), refused, Error);
  CHECK_THROWS_WITH_AS(planned_for(Device::cuda), refused, Error);
}

}  // namespace fer::test
