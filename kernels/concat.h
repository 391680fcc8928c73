// Copies of channels between images (or rows) of different channel counts: concatenation and slicing.
#pragma once

#include "tensor/view.h"

namespace fer {

// y[…, to … to + count - 1] = x[…, from … from + count - 1]; other channels of y are left alone. Equal but for the last
// dimension.
template <class T>
void copy_channels(View<const T> x, int64_t from, View<T> y, int64_t to, int64_t count);

}  // namespace fer
