#include "kernels/cuda/map.h"
#include "kernels/cuda/pixels.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

constexpr int threads = 256;

Grid grid_for(const char* name, int64_t work) {
  return {name, dim3(static_cast<unsigned>(blocks_for<int64_t>(work, threads))), dim3(threads)};
}

__device__ __forceinline__ int64_t thread_of_all() { return int64_t{blockIdx.x} * threads + threadIdx.x; }

struct Decode {
  __device__ float operator()(uint8_t x) const { return static_cast<float>(x) / 255.0F; }
};

// Rows of `units` Units each.
template <class Unit>
__global__ void gather_kernel(int64_t rows, int64_t units, int64_t size, const Unit* table, const int32_t* indices,
                              Unit* y) {
  const int64_t i = thread_of_all();
  if (i < size) {
    const int64_t index = indices[i / units];
    y[i] = index >= 0 && index < rows ? table[index * units + i % units] : Unit{};
  }
}

template <class T>
__global__ void replicate_kernel(int64_t size, int channels, const T* x, T* y) {
  const int64_t i = thread_of_all();
  if (i < size) {
    y[i] = x[i / channels];
  }
}

template <class T>
__global__ void replicate_backward_kernel(int64_t size, int channels, const T* dy, T* dx) {
  const int64_t i = thread_of_all();
  if (i < size) {
    float sum = 0;
    for (int c = 0; c < channels; ++c) {
      sum += static_cast<float>(dy[i * channels + c]);
    }
    dx[i] = static_cast<T>(sum);
  }
}

struct Candidates {
  int height, width, channels;
  int per_image, per_candidate;  // candidates of an image, pixels of a candidate
};

// One pixel of one candidate: the last of the candidate's pixels that falls on it, else the image's own.
template <class T>
__global__ void candidates_kernel(Candidates s, int64_t size, const T* x, const int32_t* places, const T* values,
                                  T* y) {
  const int64_t i = thread_of_all();
  if (i >= size) {
    return;
  }
  const int64_t pixels = int64_t{s.height} * s.width, candidate = i / pixels, pixel = i % pixels;
  const T* from = x + (candidate / s.per_image * pixels + pixel) * s.channels;
  for (int64_t p = (candidate + 1) * s.per_candidate - 1; p >= candidate * s.per_candidate; --p) {
    if (places[2 * p] == pixel / s.width && places[2 * p + 1] == pixel % s.width) {
      from = values + p * s.channels;
      break;
    }
  }
  for (int c = 0; c < s.channels; ++c) {
    y[i * s.channels + c] = from[c];
  }
}

struct Windows {
  int height, width, channels;      // of images
  int window_height, window_width;  // of what lies on them
  int out_height, out_width;        // of the piece
  int per_image;                    // windows of an image
};

// One pixel of one piece.
template <class T>
__global__ void patch_kernel(Windows s, int64_t size, const T* x, const T* windows, const int32_t* from,
                             const int32_t* to, T* y) {
  const int64_t at = thread_of_all();
  if (at >= size) {
    return;
  }
  const int64_t i = at / (s.out_height * s.out_width), pixel = at % (s.out_height * s.out_width);
  const int64_t row = to[2 * i] + pixel / s.out_width, column = to[2 * i + 1] + pixel % s.out_width;
  const int64_t r = row - from[2 * i], c = column - from[2 * i + 1];
  const T* source = nullptr;
  if (r >= 0 && r < s.window_height && c >= 0 && c < s.window_width) {
    source = windows + ((i * s.window_height + r) * s.window_width + c) * s.channels;
  } else if (row >= 0 && row < s.height && column >= 0 && column < s.width) {
    source = x + ((i / s.per_image * s.height + row) * s.width + column) * s.channels;
  }
  for (int k = 0; k < s.channels; ++k) {
    y[at * s.channels + k] = source != nullptr ? source[k] : T{};
  }
}

}  // namespace

template <class T>
void decode_pixels(View<const uint8_t> x, View<T> y, Stream stream, bool reference) {
  map("decode_pixels", stream, Decode{}, y, reference, x.data);
}

void gather_rows(AnyView table, View<const int32_t> indices, AnyView y, Stream stream, bool reference) {
  const int64_t rows = table.shape[0], count = indices.size();
  const int64_t row_bytes = count == 0 ? 0 : y.bytes() / count;
  const auto run = [&](auto unit) {
    using Unit = decltype(unit);
    const int64_t units = row_bytes / static_cast<int64_t>(sizeof(Unit));
    launch(stream, grid_for("gather_rows", count * units), gather_kernel<Unit>, rows, units, count * units,
           static_cast<const Unit*>(table.data), indices.data, static_cast<Unit*>(y.data));
  };
  const auto fits = [&](int bytes) {
    return !reference && row_bytes % bytes == 0 && aligned(static_cast<const std::byte*>(table.data), bytes) &&
           aligned(static_cast<const std::byte*>(y.data), bytes);
  };
  if (fits(16)) {
    run(uint4{});
  } else if (fits(4)) {
    run(uint32_t{});
  } else {
    run(uint8_t{});
  }
}

template <class T>
void replicate_channels_forward(View<const T> x, View<T> y, Stream stream) {
  launch(stream, grid_for("replicate_channels", y.size()), replicate_kernel<T>, y.size(), static_cast<int>(y[-1]),
         x.data, y.data);
}

template <class T>
void replicate_channels_backward(View<const T> dy, View<T> dx, Stream stream) {
  launch(stream, grid_for("replicate_channels_backward", dx.size()), replicate_backward_kernel<T>, dx.size(),
         static_cast<int>(dy[-1]), dy.data, dx.data);
}

template <class T>
void expand_pixel_candidates(View<const T> x, View<const int32_t> pixels, View<const T> values, View<T> y,
                             Stream stream) {
  const int64_t candidates = y[0];
  const Candidates sizes{static_cast<int>(x[1]), static_cast<int>(x[2]), static_cast<int>(x[3]),
                         static_cast<int>(candidates / x[0]), static_cast<int>(pixels.size() / (2 * candidates))};
  const int64_t size = candidates * x[1] * x[2];
  launch(stream, grid_for("expand_pixel_candidates", size), candidates_kernel<T>, sizes, size, x.data, pixels.data,
         values.data, y.data);
}

template <class T>
void patch_windows(View<const T> x, View<const T> windows, View<const int32_t> from, View<const int32_t> to, View<T> y,
                   Stream stream) {
  const auto extent = [](const auto& view, int axis) { return static_cast<int>(view[axis]); };
  const Windows sizes{extent(x, 1),       extent(x, 2), extent(x, 3), extent(windows, 1),
                      extent(windows, 2), extent(y, 1), extent(y, 2), static_cast<int>(y[0] / x[0])};
  const int64_t size = y[0] * y[1] * y[2];
  launch(stream, grid_for("patch_windows", size), patch_kernel<T>, sizes, size, x.data, windows.data, from.data,
         to.data, y.data);
}

#define FER_INSTANTIATE(T)                                                                                   \
  template void decode_pixels(View<const uint8_t>, View<T>, Stream, bool);                                   \
  template void replicate_channels_forward(View<const T>, View<T>, Stream);                                  \
  template void replicate_channels_backward(View<const T>, View<T>, Stream);                                 \
  template void expand_pixel_candidates(View<const T>, View<const int32_t>, View<const T>, View<T>, Stream); \
  template void patch_windows(View<const T>, View<const T>, View<const int32_t>, View<const int32_t>, View<T>, Stream);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
