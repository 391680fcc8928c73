#include "tensor/energy.h"

#include <dlfcn.h>

#include <fstream>

#include "tensor/accelerator.h"

namespace fer {

namespace {

namespace fs = std::filesystem;

std::optional<uint64_t> read_number(const fs::path& path) {
  std::ifstream file(path);
  uint64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

// Packages, and the memory below them, which they leave out. Cores and graphics are counted in the packages already,
// and the same packages stand under intel-rapl-mmio once more.
bool counts(const fs::path& zone) {
  std::string name;
  std::ifstream(zone / "name") >> name;
  return zone.filename().string().starts_with("intel-rapl:") && (name.starts_with("package") || name == "dram");
}

}  // namespace

void accumulate(std::optional<double>& sum, const std::optional<double>& more) {
  sum = sum && more ? std::optional(*sum + *more) : std::nullopt;
}

EnergySources energy_sources(Device device) {
  EnergySources sources;
  if (const auto accelerator = accelerator_for(device)) {
    sources.pci_bus_id = accelerator->pci_bus_id();
  }
  return sources;
}

EnergyMeter::EnergyMeter(const EnergySources& sources) {
  find_zones(sources.powercap);
  find_gpu(sources);
  lap();
}

void EnergyMeter::find_zones(const fs::path& powercap) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(powercap, none)) {
    if (counts(entry.path())) {
      zones_.push_back({entry.path() / "energy_uj", read_number(entry.path() / "max_energy_range_uj").value_or(0), 0});
    }
  }
  host_ = !zones_.empty();
}

void EnergyMeter::find_gpu(const EnergySources& sources) {
  void* const library = sources.pci_bus_id.empty() ? nullptr : dlopen(sources.nvml.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return;
  }
  using Gpu = void*;
  const auto init = reinterpret_cast<int (*)()>(dlsym(library, "nvmlInit_v2"));
  const auto find = reinterpret_cast<int (*)(const char*, Gpu*)>(dlsym(library, "nvmlDeviceGetHandleByPciBusId_v2"));
  const auto energy =
      reinterpret_cast<int (*)(Gpu, unsigned long long*)>(dlsym(library, "nvmlDeviceGetTotalEnergyConsumption"));
  Gpu gpu = nullptr;
  if (init == nullptr || find == nullptr || energy == nullptr || init() != 0 ||
      find(sources.pci_bus_id.c_str(), &gpu) != 0) {
    return;
  }
  gpu_ = [energy, gpu]() -> std::optional<uint64_t> {
    unsigned long long millijoules = 0;
    return energy(gpu, &millijoules) == 0 ? std::optional<uint64_t>(millijoules) : std::nullopt;
  };
}

Energy EnergyMeter::lap() {
  Energy used;
  double joules = 0;
  for (Zone& zone : zones_) {
    const std::optional<uint64_t> now = read_number(zone.counter);
    if (!now || (*now < zone.last && zone.range == 0)) {
      host_ = false;
      break;
    }
    // The counter goes from its range to 0 in one step more.
    const uint64_t difference = *now >= zone.last ? *now - zone.last : zone.range - zone.last + 1 + *now;
    joules += 1e-6 * static_cast<double>(difference);
    zone.last = *now;
  }
  if (host_) {
    used.host = joules;
  }
  if (gpu_) {
    const std::optional<uint64_t> now = gpu_();
    if (now && gpu_last_) {
      used.device = 1e-3 * static_cast<double>(*now - *gpu_last_);
    }
    gpu_last_ = now;
  }
  return used;
}

}  // namespace fer
