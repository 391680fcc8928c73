// Every CUDA kernel, executed on the CPU, against the CPU's kernels.
#include <doctest/doctest.h>

#include <set>

#include "tests/cases/case.h"
#include "tests/cuda/trial.h"

namespace fer::test {

// Some of them: -sc='depthwise*'.
TEST_CASE("cuda kernels: they agree with the CPU's, whatever the order of threads") {
  for (const KernelCase& one : kernel_cases()) {
    SUBCASE(one.name.c_str()) {
      Trial single("f32/" + one.name), half("bf16/" + one.name);
      one.f32(single);
      one.bf16(half);
    }
  }
}

TEST_CASE("cuda kernels: every operation has its kernels in f32 and bf16") {
  const auto operation_of = [](const std::string& name) { return name.substr(0, name.find('/')); };
  std::set<std::string> have{"reshape", "flatten"};  // no kernel: their output is their input
  for (const KernelCase& one : kernel_cases()) {
    have.insert(operation_of(one.name));
  }
  for (const Case& one : cases()) {
    INFO("operation ", operation_of(one.name), " has cases for the CPU but none in tests/cuda");
    CHECK(have.count(operation_of(one.name)) == 1);
  }
}

}  // namespace fer::test
