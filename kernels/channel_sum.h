// Sums over everything but the channels: the gradient of a bias.
#pragma once

#include <cstddef>

#include "tensor/view.h"

namespace fer {

// Bytes of workspace for `channels` channels, with as many threads as there are now.
int64_t channel_sum_workspace(int64_t channels);

// x [...,C] -> y [C]. Overwrites y. Adds in double across runs of rows.
template <class T>
void channel_sum(View<const T> x, View<T> y, std::byte* workspace);

}  // namespace fer
