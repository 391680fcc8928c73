// Loops over the channels of a pixel, unrolled for the images that matter most: grey and RGB.
#pragma once

#include <cstdint>
#include <type_traits>

namespace fer {

// Calls function(c) with c() the number of channels: a constant to the compiler when it is 1 or 3.
template <class Function>
void with_channels(int64_t channels, Function&& function) {
  if (channels == 1) {
    function([] { return std::integral_constant<int64_t, 1>{}; });
  } else if (channels == 3) {
    function([] { return std::integral_constant<int64_t, 3>{}; });
  } else {
    function([channels] { return channels; });
  }
}

}  // namespace fer
