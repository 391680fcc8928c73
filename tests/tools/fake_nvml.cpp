// As much of NVML as the program asks for: one GPU at 0000:17:00.0, which uses 1500 millijoules between two questions.
#include <cstring>

// NOLINTBEGIN(readability-identifier-naming): the names are NVML's.
extern "C" {

int nvmlInit_v2() { return 0; }

int nvmlDeviceGetHandleByPciBusId_v2(const char* address, void** gpu) {
  static int number = 0;
  *gpu = &number;
  return std::strcmp(address, "00000000:17:00.0") == 0 ? 0 : 6;  // NVML_ERROR_NOT_FOUND
}

int nvmlDeviceGetTotalEnergyConsumption(void* /*gpu*/, unsigned long long* millijoules) {
  static unsigned long long counter = 1000000;
  *millijoules = counter += 1500;
  return 0;
}
}
// NOLINTEND(readability-identifier-naming)
