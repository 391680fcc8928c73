#include "kernels/cuda/augment.h"
#include "kernels/cuda/block_sum.h"
#include "kernels/cuda/pack.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

constexpr int threads = 256;

struct Sizes {
  int height, width, channels;
};

// Channel c of output pixel (i, j), read bilinearly from x where `draw` maps it, the nearest edge pixel outside.
template <class T>
__device__ float resampled(const AugmentDraw& draw, const T* x, const Sizes& s, int i, int j, int c) {
  const float half_w = static_cast<float>(s.width - 1) / 2, half_h = static_cast<float>(s.height - 1) / 2;
  const float u = static_cast<float>(j) - half_w, v = static_cast<float>(i) - half_h;
  const float x0 = static_cast<float>(draw.xy) * v + static_cast<float>(draw.x0) + half_w;
  const float y0 = static_cast<float>(draw.yy) * v + static_cast<float>(draw.y0) + half_h;
  const float at_x = fminf(fmaxf(static_cast<float>(draw.xx) * u + x0, 0.0F), static_cast<float>(s.width - 1));
  const float at_y = fminf(fmaxf(static_cast<float>(draw.yx) * u + y0, 0.0F), static_cast<float>(s.height - 1));
  const int left = min(static_cast<int>(at_x), max(s.width - 2, 0));
  const int top = min(static_cast<int>(at_y), max(s.height - 2, 0));
  const float right_share = at_x - static_cast<float>(left), left_share = 1 - right_share;
  const float lower_share = at_y - static_cast<float>(top), upper_share = 1 - lower_share;
  const int corner = (top * s.width + left) * s.channels + c;
  const int to_right = s.width > 1 ? s.channels : 0, below = s.height > 1 ? s.width * s.channels : 0;
  const auto at = [&](int offset) { return static_cast<float>(x[corner + offset]); };
  const float upper = left_share * at(0) + right_share * at(to_right);
  const float lower = left_share * at(below) + right_share * at(below + to_right);
  return upper_share * upper + lower_share * lower;
}

// Image blockIdx.x. Each thread goes back to its own elements of y, so that none waits for another's.
template <class T>
__global__ void __launch_bounds__(threads)
    augment_kernel(AugmentParams params, bool geometry, bool brightness, const StepContext* step,
                   uint32_t stream_number, Sizes s, const T* x, T* y) {
  FER_SHARED(AugmentDraw, shared_draw, [1]);
  FER_SHARED(double, sums, [threads]);
  const int64_t n = blockIdx.x;
  const int pixels = s.height * s.width, size = pixels * s.channels;
  const Philox random(step->seed, stream_number, step->step);
  if (threadIdx.x == 0) {
    shared_draw[0] = draw_augmentation(params, random, n, s.height, s.width);
  }
  __syncthreads();
  const AugmentDraw draw = shared_draw[0];
  const T* const source = x + n * size;
  T* const target = y + n * size;
  double sum = 0;
  for (int at = static_cast<int>(threadIdx.x); at < size; at += threads) {
    const int pixel = at / s.channels;
    target[at] = geometry
                     ? static_cast<T>(resampled(draw, source, s, pixel / s.width, pixel % s.width, at % s.channels))
                     : source[at];
    sum += static_cast<double>(static_cast<float>(target[at]));
  }
  const double mean = brightness ? block_sum<threads>(sum, sums) / size : 0;
  const float factor = static_cast<float>(draw.contrast);
  const float offset = static_cast<float>(mean * (1 - draw.contrast) + draw.brightness);
  for (int at = static_cast<int>(threadIdx.x); at < size; at += threads) {
    const int pixel = at / s.channels, row = pixel / s.width, column = pixel % s.width;
    if (row >= draw.top && row < draw.bottom && column >= draw.left && column < draw.right) {
      target[at] = static_cast<T>(augmentation_noise(random, n, pixels, pixel));
    } else if (brightness) {
      target[at] = static_cast<T>(fminf(fmaxf(factor * static_cast<float>(target[at]) + offset, 0.0F), 1.0F));
    }
  }
}

}  // namespace

template <class T>
void augment_forward(const AugmentParams& params, const StepContext* step, uint32_t stream_number, View<const T> x,
                     View<T> y, Stream stream) {
  const Sizes sizes{static_cast<int>(x[1]), static_cast<int>(x[2]), static_cast<int>(x[3])};
  launch(stream, {"augment", dim3(static_cast<unsigned>(x[0])), dim3(threads)}, augment_kernel<T>, params,
         changes_geometry(params), changes_brightness(params), step, stream_number, sizes, x.data, y.data);
}

#define FER_INSTANTIATE(T) \
  template void augment_forward(const AugmentParams&, const StepContext*, uint32_t, View<const T>, View<T>, Stream);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
