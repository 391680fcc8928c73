#include <algorithm>

#include "kernels/cuda/block_sum.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/map.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

__device__ float sign_of(float x) { return x > 0 ? 1.0F : (x < 0 ? -1.0F : x); }
__device__ float clamped(float x, float low, float high) { return x < low ? low : (x > high ? high : x); }

struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};

struct Multiply {
  __device__ float operator()(float a, float b) const { return a * b; }
};

struct Scale {
  float factor;
  __device__ float operator()(float x) const { return x * factor; }
};

struct Sign {
  __device__ float operator()(float x) const { return sign_of(x); }
};

struct Clamp {
  float low, high;
  __device__ float operator()(float x) const { return clamped(x, low, high); }
};

struct ClampSlope {
  float low, high;
  __device__ float operator()(float x, float dy) const { return x >= low && x <= high ? dy : 0.0F; }
};

struct SignStep {
  float epsilon, low, high;
  __device__ float operator()(float x, float g) const { return clamped(x + epsilon * sign_of(g), low, high); }
};

struct BallStep {
  float epsilon, radius;
  __device__ float operator()(float x, float origin, float g) const {
    return clamped(clamped(x + epsilon * sign_of(g), origin - radius, origin + radius), 0, 1);
  }
};

struct Same {
  __device__ float operator()(float x) const { return x; }
};

template <class T>
struct Constant {
  T value;
  __device__ T operator()() const { return value; }
};

template <class T>
struct Element {
  const T* from;
  __device__ T operator()() const { return *from; }
};

// Row blockIdx.y of y is for epsilons[blockIdx.y].
template <class T>
__global__ void sign_steps_kernel(const float* epsilons, float low, float high, int64_t size, const T* x, const T* g,
                                  T* y) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < size) {
    const SignStep step{epsilons[blockIdx.y], low, high};
    y[blockIdx.y * size + i] = static_cast<T>(step(static_cast<float>(x[i]), static_cast<float>(g[i])));
  }
}

constexpr int sum_threads = 256;
constexpr int64_t most_sum_blocks = 256;
constexpr int64_t sum_grain = 4 * sum_threads;  // elements that are worth another block

// parts[block] = the sum of every gridDim.x-th run of sum_threads elements.
template <class From, class To>
__global__ void sum_kernel(int64_t size, const From* x, To* parts) {
  FER_SHARED(double, sums, [sum_threads]);
  double own = 0;
  for (int64_t i = int64_t{blockIdx.x} * sum_threads + threadIdx.x; i < size; i += int64_t{gridDim.x} * sum_threads) {
    own += static_cast<double>(x[i]);
  }
  const double total = block_sum<sum_threads>(own, sums);
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = static_cast<To>(total);
  }
}

}  // namespace

template <class T>
void add_forward(View<const T> a, View<const T> b, View<T> y, Stream stream, bool reference) {
  map("add", stream, Add{}, y, reference, a.data, b.data);
}

template <class T>
void multiply_forward(View<const T> a, View<const T> b, View<T> y, Stream stream, bool reference) {
  map("multiply", stream, Multiply{}, y, reference, a.data, b.data);
}

template <class T>
void scale_forward(double factor, View<const T> x, View<T> y, Stream stream, bool reference) {
  map("scale", stream, Scale{static_cast<float>(factor)}, y, reference, x.data);
}

template <class T>
void sign_forward(View<const T> x, View<T> y, Stream stream, bool reference) {
  map("sign", stream, Sign{}, y, reference, x.data);
}

template <class T>
void clamp_forward(double low, double high, View<const T> x, View<T> y, Stream stream, bool reference) {
  map("clamp", stream, Clamp{static_cast<float>(low), static_cast<float>(high)}, y, reference, x.data);
}

template <class T>
void clamp_backward(double low, double high, View<const T> x, View<const T> dy, View<T> dx, Stream stream,
                    bool reference) {
  const ClampSlope slope{static_cast<float>(low), static_cast<float>(high)};
  map("clamp_backward", stream, slope, dx, reference, x.data, dy.data);
}

template <class T>
void sign_step(double epsilon, double low, double high, View<const T> x, View<const T> g, View<T> y, Stream stream,
               bool reference) {
  const SignStep step{static_cast<float>(epsilon), static_cast<float>(low), static_cast<float>(high)};
  map("sign_step", stream, step, y, reference, x.data, g.data);
}

template <class T>
void ball_step(double epsilon, double radius, View<const T> x, View<const T> origin, View<const T> g, View<T> y,
               Stream stream, bool reference) {
  const BallStep step{static_cast<float>(epsilon), static_cast<float>(radius)};
  map("ball_step", stream, step, y, reference, x.data, origin.data, g.data);
}

template <class T>
void sign_steps(View<const float> epsilons, double low, double high, View<const T> x, View<const T> g, View<T> y,
                Stream stream) {
  constexpr int64_t threads = 256;
  const dim3 blocks(static_cast<unsigned>(blocks_for(x.size(), threads)), static_cast<unsigned>(epsilons.size()));
  launch(stream, {"sign_steps", blocks, dim3(threads)}, sign_steps_kernel<T>, epsilons.data, static_cast<float>(low),
         static_cast<float>(high), x.size(), x.data, g.data, y.data);
}

int64_t sum_workspace_bytes() { return most_sum_blocks * static_cast<int64_t>(sizeof(double)); }

template <class T>
void sum_forward(View<const T> x, View<T> y, std::byte* workspace, Stream stream) {
  const int64_t blocks = std::clamp<int64_t>(x.size() / sum_grain, 1, most_sum_blocks);
  if (blocks == 1) {
    launch(stream, {"sum", dim3(1), dim3(sum_threads)}, sum_kernel<T, T>, x.size(), x.data, y.data);
    return;
  }
  double* const parts = reinterpret_cast<double*>(workspace);
  launch(stream, {"sum", dim3(static_cast<unsigned>(blocks)), dim3(sum_threads)}, sum_kernel<T, double>, x.size(),
         x.data, parts);
  launch(stream, {"sum", dim3(1), dim3(sum_threads)}, sum_kernel<double, T>, blocks, parts, y.data);
}

template <class T>
void fill(T value, View<T> y, Stream stream) {
  map("fill", stream, Constant<T>{value}, y, false);
}

template <class T>
void broadcast(View<const T> x, View<T> y, Stream stream) {
  map("broadcast", stream, Element<T>{x.data}, y, false);
}

template <class From, class To>
void convert(View<const From> x, View<To> y, Stream stream, bool reference) {
  map("convert", stream, Same{}, y, reference, x.data);
}

#define FER_INSTANTIATE(T)                                                                                     \
  template void add_forward(View<const T>, View<const T>, View<T>, Stream, bool);                              \
  template void multiply_forward(View<const T>, View<const T>, View<T>, Stream, bool);                         \
  template void scale_forward(double, View<const T>, View<T>, Stream, bool);                                   \
  template void sign_forward(View<const T>, View<T>, Stream, bool);                                            \
  template void clamp_forward(double, double, View<const T>, View<T>, Stream, bool);                           \
  template void clamp_backward(double, double, View<const T>, View<const T>, View<T>, Stream, bool);           \
  template void sign_step(double, double, double, View<const T>, View<const T>, View<T>, Stream, bool);        \
  template void ball_step(double, double, View<const T>, View<const T>, View<const T>, View<T>, Stream, bool); \
  template void sign_steps(View<const float>, double, double, View<const T>, View<const T>, View<T>, Stream);  \
  template void sum_forward(View<const T>, View<T>, std::byte*, Stream);                                       \
  template void fill(T, View<T>, Stream);                                                                      \
  template void broadcast(View<const T>, View<T>, Stream);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE
template void fill(uint8_t, View<uint8_t>, Stream);
template void fill(int32_t, View<int32_t>, Stream);
template void fill(int64_t, View<int64_t>, Stream);
template void convert(View<const float>, View<bf16>, Stream, bool);
template void convert(View<const bf16>, View<float>, Stream, bool);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
