#include "tensor/device.h"

#include "tensor/accelerator.h"

namespace fer {

std::string_view name_of(Device device) {
  switch (device) {
    case Device::cpu:
      return "cpu";
    case Device::cuda:
      return "cuda";
    case Device::null:
      return "null";
  }
  return "?";
}

std::string unavailable_reason(Device device) { return device == Device::cuda ? find_accelerator().reason : ""; }

Device parse_device(std::string_view text) {
  if (text == "auto") {
    return unavailable_reason(Device::cuda).empty() ? Device::cuda : Device::cpu;
  }
  for (Device device : {Device::cpu, Device::cuda, Device::null}) {
    if (text == name_of(device)) {
      accelerator_for(device);  // throws where it cannot be used
      return device;
    }
  }
  fail("device: '", text, "' is none of auto, cpu, cuda, null");
}

}  // namespace fer
