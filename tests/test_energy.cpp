// Energy counters: a powercap folder with its wrap-around, a library in NVML's place, and neither.
#include <doctest/doctest.h>

#include "tensor/energy.h"
#include "tensor/file.h"
#include "tests/temporary_folder.h"

using namespace fer;

namespace {

namespace fs = std::filesystem;

// /sys/class/powercap of a machine with RAPL.
class Powercap {
 public:
  void zone(const std::string& folder, const std::string& name, int64_t microjoules) const {
    fs::create_directories(folder_ / folder);
    write_file(folder_ / folder / "name", name + "\n");
    write_file(folder_ / folder / "max_energy_range_uj", "262143328850\n");
    set(folder, microjoules);
  }
  void set(const std::string& folder, int64_t microjoules) const {
    write_file(folder_ / folder / "energy_uj", std::to_string(microjoules) + "\n");
  }
  EnergySources sources() const { return {.powercap = folder_.path()}; }
  fs::path path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("energy: packages and their memory are added up, nothing twice") {
  const Powercap machine;
  machine.zone("intel-rapl:0", "package-0", 5000000);
  machine.zone("intel-rapl:0:0", "core", 1000000);
  machine.zone("intel-rapl:0:1", "dram", 7000000);
  machine.zone("intel-rapl:1", "package-1", 0);
  machine.zone("intel-rapl:2", "psys", 100);
  machine.zone("intel-rapl-mmio:0", "package-0", 5000000);
  fs::create_directories(machine.path() / "intel-rapl");
  EnergyMeter meter(machine.sources());
  CHECK(meter.lap().host == 0.0);
  for (const char* zone : {"intel-rapl:0", "intel-rapl:0:0", "intel-rapl:2", "intel-rapl-mmio:0"}) {
    machine.set(zone, 7500000);
  }
  machine.set("intel-rapl:0:1", 7250000);
  machine.set("intel-rapl:1", 1000000);
  const Energy used = meter.lap();
  CHECK(*used.host == doctest::Approx(2.5 + 0.25 + 1));
  CHECK_FALSE(used.device.has_value());
  CHECK(meter.lap().host == 0.0);
}

TEST_CASE("energy: a counter that begins again") {
  const Powercap machine;
  machine.zone("intel-rapl:0", "package-0", 262143328850 - 999999);
  EnergyMeter meter(machine.sources());
  machine.set("intel-rapl:0", 2000000);
  CHECK(*meter.lap().host == doctest::Approx(3).epsilon(1e-9));
  machine.set("intel-rapl:0", 2500000);
  CHECK(*meter.lap().host == doctest::Approx(0.5).epsilon(1e-9));
}

TEST_CASE("energy: unavailable is not 0") {
  const TemporaryFolder empty;
  CHECK_FALSE(EnergyMeter({.powercap = empty / "none"}).lap().host.has_value());
  CHECK_FALSE(EnergyMeter({.powercap = empty.path()}).lap().host.has_value());
  const Powercap machine;
  machine.zone("intel-rapl:0", "package-0", 1);
  machine.zone("intel-rapl:1", "package-1", 1);
  EnergyMeter meter(machine.sources());
  CHECK(meter.lap().host.has_value());
  fs::remove(machine.path() / "intel-rapl:1" / "energy_uj");  // as without permission
  CHECK_FALSE(meter.lap().host.has_value());
  CHECK_FALSE(EnergyMeter(machine.sources()).lap().host.has_value());

  std::optional<double> sum = 1.0;
  accumulate(sum, 2.0);
  CHECK(sum == 3.0);
  accumulate(sum, std::nullopt);
  accumulate(sum, 2.0);
  CHECK_FALSE(sum.has_value());
}

TEST_CASE("energy: the GPU's counter, of the GPU that is used") {
  const TemporaryFolder empty;
  EnergySources sources{.powercap = empty.path(), .nvml = FER_FAKE_NVML, .pci_bus_id = "00000000:17:00.0"};
  EnergyMeter meter(sources);
  CHECK(meter.lap().device == 1.5);
  CHECK(meter.lap().device == 1.5);
  CHECK_FALSE(meter.lap().host.has_value());
  for (const auto& [library, address] : {std::pair{FER_FAKE_NVML, "00000000:18:00.0"},
                                         {"libnvidia-ml.none.so", "00000000:17:00.0"},
                                         {"libm.so.6", "00000000:17:00.0"},
                                         {FER_FAKE_NVML, ""}}) {
    sources.nvml = library;
    sources.pci_bus_id = address;
    CHECK_FALSE(EnergyMeter(sources).lap().device.has_value());
  }
}
