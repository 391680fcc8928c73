#include "kernels/concat.h"

#include <algorithm>

#include "tensor/parallel.h"

namespace fer {

template <class T>
void copy_channels(View<const T> x, int64_t from, View<T> y, int64_t to, int64_t count) {
  if (count == 0) {
    return;
  }
  const int64_t x_channels = x[-1], y_channels = y[-1];
  parallel_for(x.size() / x_channels, std::max<int64_t>(1, (int64_t{1} << 14) / count),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   const T* const source = x.data + row * x_channels + from;
                   T* const target = y.data + row * y_channels + to;
#pragma omp simd
                   for (int64_t c = 0; c < count; ++c) {
                     target[c] = source[c];
                   }
                 }
               });
}

template void copy_channels(View<const float>, int64_t, View<float>, int64_t, int64_t);
template void copy_channels(View<const double>, int64_t, View<double>, int64_t, int64_t);

}  // namespace fer
