#include "kernels/elementwise.h"

#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t grain = 1 << 14;

// y[i] = function(i)
template <class T, class Function>
void for_each(View<T> y, Function function) {
  parallel_for(y.size(), grain, [&](int64_t begin, int64_t end) {
    T* const to = y.data;
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) {
      to[i] = function(i);
    }
  });
}

template <class T>
inline T sign_of(T x) {
  return x > T(0) ? T(1) : (x < T(0) ? T(-1) : x);
}

template <class T>
inline T clamped(T x, T low, T high) {
  return x < low ? low : (x > high ? high : x);
}

}  // namespace

template <class T>
void add_forward(View<const T> a, View<const T> b, View<T> y) {
  for_each(y, [a = a.data, b = b.data](int64_t i) { return a[i] + b[i]; });
}

template <class T>
void multiply_forward(View<const T> a, View<const T> b, View<T> y) {
  for_each(y, [a = a.data, b = b.data](int64_t i) { return a[i] * b[i]; });
}

template <class T>
void scale_forward(double factor, View<const T> x, View<T> y) {
  for_each(y, [x = x.data, factor = static_cast<T>(factor)](int64_t i) { return x[i] * factor; });
}

template <class T>
void sign_forward(View<const T> x, View<T> y) {
  for_each(y, [x = x.data](int64_t i) { return sign_of(x[i]); });
}

template <class T>
void clamp_forward(double low, double high, View<const T> x, View<T> y) {
  for_each(y, [x = x.data, low = static_cast<T>(low), high = static_cast<T>(high)](int64_t i) {
    return clamped(x[i], low, high);
  });
}

template <class T>
void clamp_backward(double low, double high, View<const T> x, View<const T> dy, View<T> dx) {
  for_each(dx, [x = x.data, dy = dy.data, low = static_cast<T>(low), high = static_cast<T>(high)](int64_t i) {
    return x[i] >= low && x[i] <= high ? dy[i] : T(0);
  });
}

template <class T>
void sign_step(double epsilon, double low, double high, View<const T> x, View<const T> g, View<T> y) {
  const T step = static_cast<T>(epsilon);
  for_each(y, [x = x.data, g = g.data, step, low = static_cast<T>(low), high = static_cast<T>(high)](int64_t i) {
    return clamped(x[i] + step * sign_of(g[i]), low, high);
  });
}

template <class T>
void ball_step(double epsilon, double radius, View<const T> x, View<const T> origin, View<const T> g, View<T> y) {
  const T step = static_cast<T>(epsilon), reach = static_cast<T>(radius);
  for_each(y, [x = x.data, origin = origin.data, g = g.data, step, reach](int64_t i) {
    const T moved = clamped(x[i] + step * sign_of(g[i]), origin[i] - reach, origin[i] + reach);
    return clamped(moved, T(0), T(1));
  });
}

int64_t sum_workspace_bytes() { return thread_count() * static_cast<int64_t>(sizeof(double)); }

template <class T>
void sum_forward(View<const T> x, View<T> y, std::byte* workspace) {
  double* const parts = reinterpret_cast<double*>(workspace);
  const int threads = thread_count();
  std::fill_n(parts, threads, 0.0);
  parallel_parts(x.size(), grain, [&](int64_t begin, int64_t end, int part) {
    constexpr int64_t width = 16;
    double lanes[width] = {};
    for (; begin + width <= end; begin += width) {
#pragma omp simd
      for (int64_t lane = 0; lane < width; ++lane) {
        lanes[lane] += x.data[begin + lane];
      }
    }
    double total = 0;
    for (; begin < end; ++begin) {
      total += x.data[begin];
    }
    for (double lane : lanes) {
      total += lane;
    }
    parts[part] = total;
  });
  double total = 0;
  for (int part = 0; part < threads; ++part) {
    total += parts[part];
  }
  y.data[0] = static_cast<T>(total);
}

template <class T>
void fill(T value, View<T> y) {
  for_each(y, [value](int64_t) { return value; });
}

#define FER_INSTANTIATE(T)                                                                       \
  template void add_forward(View<const T>, View<const T>, View<T>);                              \
  template void multiply_forward(View<const T>, View<const T>, View<T>);                         \
  template void scale_forward(double, View<const T>, View<T>);                                   \
  template void sign_forward(View<const T>, View<T>);                                            \
  template void clamp_forward(double, double, View<const T>, View<T>);                           \
  template void clamp_backward(double, double, View<const T>, View<const T>, View<T>);           \
  template void sign_step(double, double, double, View<const T>, View<const T>, View<T>);        \
  template void ball_step(double, double, View<const T>, View<const T>, View<const T>, View<T>); \
  template void sum_forward(View<const T>, View<T>, std::byte*);                                 \
  template void fill(T, View<T>);
FER_INSTANTIATE(float)
FER_INSTANTIATE(double)
#undef FER_INSTANTIATE
template void fill(uint8_t, View<uint8_t>);
template void fill(int32_t, View<int32_t>);
template void fill(int64_t, View<int64_t>);

}  // namespace fer
