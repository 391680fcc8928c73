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

std::string_view name_of(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::tf32:
      return "tf32";
    case Precision::bf16:
      return "bf16";
  }
  return "?";
}

Precision parse_precision(std::string_view text) {
  for (Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
    if (text == name_of(precision)) {
      return precision;
    }
  }
  fail("precision: '", text, "' is none of fp32, tf32, bf16");
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
