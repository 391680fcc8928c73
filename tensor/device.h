// Where a plan runs.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

namespace fer {

// cpu runs everything; null runs nothing and prices everything; cuda needs a GPU and its backend library.
enum class Device { cpu, cuda, null };

std::string_view name_of(Device device);
inline std::ostream& operator<<(std::ostream& out, Device device) { return out << name_of(device); }

// Why `device` cannot be used on this machine; empty when it can.
std::string unavailable_reason(Device device);

// "cpu", "cuda" or "null"; "auto" is cuda where available, else cpu. Throws with the reason when it cannot be used.
Device parse_device(std::string_view text);

}  // namespace fer
