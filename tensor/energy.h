// Energy as the machine itself counts it: RAPL for the processor (AMD's too), NVML for the GPU.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tensor/device.h"

namespace fer {

// Joules. Empty where no counter can be read, which is usual: Linux shows RAPL's to root alone.
struct Energy {
  std::optional<double> host;    // all packages of the machine with their memory, whoever used them
  std::optional<double> device;  // the GPU, whoever used it
};

// sum += more; empty as soon as one of them is.
void accumulate(std::optional<double>& sum, const std::optional<double>& more);

// Where counters are looked for.
struct EnergySources {
  std::filesystem::path powercap = "/sys/class/powercap";
  std::string nvml = "libnvidia-ml.so.1";  // opened when there is a pci_bus_id
  std::string pci_bus_id{};                // of the GPU; empty: none is asked
};

// This machine's, with the GPU's where `device` is cuda.
EnergySources energy_sources(Device device);

class EnergyMeter {
 public:
  explicit EnergyMeter(const EnergySources& sources);

  // What was used since the last call, or since the meter was made. RAPL's counters begin again at 0 after some
  // quarter of an hour of work: that is seen if it happened once between two calls.
  Energy lap();

 private:
  struct Zone {
    std::filesystem::path counter;
    uint64_t range = 0;  // its largest value
    uint64_t last = 0;   // microjoules
  };

  void find_zones(const std::filesystem::path& powercap);
  void find_gpu(const EnergySources& sources);

  std::vector<Zone> zones_;
  bool host_ = false;                             // every zone can be read
  std::function<std::optional<uint64_t>()> gpu_;  // millijoules since the driver was loaded
  std::optional<uint64_t> gpu_last_;
};

}  // namespace fer
