// Where a plan runs.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

namespace fer {

// cpu runs everything; null runs nothing and prices everything; cuda needs a GPU and its backend library.
enum class Device { cpu, cuda, null };

std::string_view name_of(Device device);

// What device cuda computes with. fp32: IEEE single precision. tf32: the factors of convolutions and matrix products
// are rounded to ten bits. bf16: convolutions and matrix products, and what lies between them, are in bfloat16, sums,
// statistics, losses and weights in f32. The CPU computes in fp32.
enum class Precision { fp32, tf32, bf16 };

std::string_view name_of(Precision precision);
inline std::ostream& operator<<(std::ostream& out, Precision precision) { return out << name_of(precision); }

// Throws, naming the choices.
Precision parse_precision(std::string_view text);
inline std::ostream& operator<<(std::ostream& out, Device device) { return out << name_of(device); }

// Why `device` cannot be used on this machine; empty when it can.
std::string unavailable_reason(Device device);

// "cpu", "cuda" or "null"; "auto" is cuda where available, else cpu. Throws with the reason when it cannot be used.
Device parse_device(std::string_view text);

}  // namespace fer
