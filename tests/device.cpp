#include "tests/device.h"

#include <cstdlib>
#include <iostream>

namespace fer::test {

const std::string& gpu_skipped() {
  static const std::string reason = [] {
    const char* wanted = std::getenv("FER_TEST_DEVICE");
    if (wanted == nullptr || wanted != std::string("cuda")) {
      return std::string("not asked for (./dev test --device cuda)");
    }
    std::string missing = unavailable_reason(Device::cuda);
    if (!missing.empty()) {
      std::cerr << "tests on a real GPU are skipped: " << missing << "\n";
    }
    return missing;
  }();
  return reason;
}

Device test_device(DType dtype) { return gpu_skipped().empty() && dtype != DType::f64 ? Device::cuda : Device::cpu; }

}  // namespace fer::test
