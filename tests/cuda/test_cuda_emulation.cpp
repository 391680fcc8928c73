// The emulation itself: CUDA's language, and the faults that it must notice.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/cuda/block_sum.h"
#include "kernels/cuda/pack.h"

namespace fer::test {

namespace {

using namespace cuda;
using emulation::Order;

// Device memory of floats, poisoned until written.
class Floats {
 public:
  explicit Floats(size_t size) : size_(size), data_(static_cast<float*>(emulation::allocate(size * sizeof(float)))) {}
  explicit Floats(const std::vector<float>& values) : Floats(values.size()) {
    std::memcpy(data_, values.data(), size_ * sizeof(float));
  }
  Floats(const Floats&) = delete;
  Floats& operator=(const Floats&) = delete;
  ~Floats() { emulation::release(data_); }

  float* data() const { return data_; }
  std::vector<float> values() const { return {data_, data_ + size_}; }

 private:
  size_t size_;
  float* data_;
};

std::vector<float> counting(size_t size) {
  std::vector<float> values(size);
  for (size_t i = 0; i < size; ++i) {
    values[i] = static_cast<float>(i);
  }
  return values;
}

// What the launch throws; "" when nothing.
template <class Launch>
std::string fault_of(Launch&& run) {
  try {
    run();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void set_turn(int turn) {
  emulation::set_order(turn == 0   ? Order::forward
                       : turn == 1 ? Order::reverse
                                   : Order::random,
                       static_cast<uint64_t>(turn));
}

constexpr int threads = 64;
constexpr unsigned all_lanes = ~0U;

__global__ void reverse_kernel(const float* x, float* y) {
  FER_DYNAMIC_SHARED(float, shared);
  shared[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

__global__ void places_kernel(float* y) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned at = block * blockDim.x * blockDim.y * blockDim.z + thread;
  y[at] = static_cast<float>(at);
}

__global__ void warp_kernel(float* y) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float* const own = y + threadIdx.x * 8;
  own[0] = static_cast<float>(__shfl_sync(all_lanes, lane * 3, 5));
  own[1] = static_cast<float>(__shfl_up_sync(all_lanes, lane, 4));
  own[2] = static_cast<float>(__shfl_down_sync(all_lanes, lane, 2, 8));
  own[3] = static_cast<float>(__shfl_xor_sync(all_lanes, lane, 7));
  own[4] = static_cast<float>(__ballot_sync(all_lanes, lane < 20) >> 16);
  own[5] = static_cast<float>(__any_sync(all_lanes, lane == 31) * 2 + __all_sync(all_lanes, lane < 31));
  // Half-warps that go separate ways.
  own[6] = static_cast<float>(lane < 16 ? __shfl_xor_sync(0xffffU, lane, 1) : __shfl_xor_sync(0xffff0000U, lane, 2));
  __syncwarp();
  own[7] = static_cast<float>(__syncthreads_count(threadIdx.x % 3 == 0));
}

__global__ void atomic_kernel(int* counts) {
  atomicAdd(&counts[threadIdx.x % 4], 1);
  atomicCAS(&counts[4], 0, 7);
  atomicExch(&counts[5], 9);
}

enum Fault {
  missing_barrier,
  write_past_shared,
  write_past_device,
  different_barriers,
  barrier_after_return,
  mask_of_returned_lanes,
  mask_without_caller,
  never_written,
  between_blocks,
  no_fault,
};

__global__ void faulty_kernel(Fault fault, const float* x, float* y) {
  FER_SHARED(float, shared, [threads]);
  const unsigned t = threadIdx.x, i = blockIdx.x * threads + t;
  switch (fault) {
    case missing_barrier:
      shared[t] = x[i];
      y[i] = shared[threads - 1 - t];
      break;
    case write_past_shared:
      shared[t + 1] = x[i];
      __syncthreads();
      y[i] = shared[t];
      break;
    case write_past_device:
      y[i + 1] = x[i];
      break;
    case different_barriers:
      shared[t] = x[i];
      if (t < 32) {
        __syncthreads();
      } else {
        __syncthreads();
      }
      y[i] = shared[t];
      break;
    case barrier_after_return:
      if (t >= 40) {
        return;
      }
      __syncthreads();
      y[i] = x[i];
      break;
    case mask_of_returned_lanes:
      if (t % 2 == 1) {
        y[i] = __shfl_xor_sync(all_lanes, x[i], 2);
      }
      break;
    case mask_without_caller:
      y[i] = t % 32 < 16 ? __shfl_xor_sync(0xffff0000U, x[i], 1) : x[i];
      break;
    case never_written:
      if (t != 33) {
        shared[t] = x[i];
      }
      __syncthreads();
      y[i] = shared[threads - 1 - t];
      break;
    case between_blocks:
      y[t] = x[i];
      break;
    case no_fault:
      shared[t] = x[i];
      __syncthreads();
      y[i] = shared[t ^ 1U];
      break;
  }
}

std::string run_faulty(Fault fault, std::vector<float>& result) {
  const Floats x(counting(2 * threads)), y(2 * threads);
  const std::string what = fault_of([&] {
    launch({}, {"faulty", dim3(2), dim3(threads)}, faulty_kernel, fault, x.data(), y.data());
  });
  result = y.values();
  return what;
}

// Does the fault show at all: in an error, in a number that is none, or in a difference between orders?
bool shows(Fault fault) {
  std::vector<float> first, other;
  for (int turn = 0; turn < 4; ++turn) {
    set_turn(turn);
    if (!run_faulty(fault, turn == 0 ? first : other).empty() ||
        (turn > 0 && std::memcmp(first.data(), other.data(), first.size() * sizeof(float)) != 0)) {
      return true;
    }
  }
  return std::any_of(first.begin(), first.end(), [](float value) { return std::isnan(value); });
}

}  // namespace

TEST_CASE("cuda emulation: shared memory, barriers, and every thread of every block once") {
  for (int turn = 0; turn < 4; ++turn) {
    set_turn(turn);
    const Floats x(counting(200)), y(200), places(2 * 3 * 2 * 3 * 5 * 2);
    launch({}, {"reverse", dim3(1), dim3(200), 200 * sizeof(float)}, reverse_kernel, x.data(), y.data());
    launch({}, {"places", dim3(2, 3, 2), dim3(3, 5, 2)}, places_kernel, places.data());
    for (size_t i = 0; i < 200; ++i) {
      REQUIRE(y.values()[i] == static_cast<float>(199 - i));
    }
    CHECK(places.values() == counting(2 * 3 * 2 * 3 * 5 * 2));
    launch({}, {"nothing", dim3(0), dim3(32)}, places_kernel, nullptr);
  }
}

TEST_CASE("cuda emulation: shuffles, votes and atomics") {
  for (int turn = 0; turn < 4; ++turn) {
    set_turn(turn);
    const Floats y(64 * 8);
    launch({}, {"warp", dim3(1), dim3(64)}, warp_kernel, y.data());
    for (int t = 0; t < 64; ++t) {
      const int lane = t % 32;
      const int expected[8] = {15,
                               lane < 4 ? lane : lane - 4,
                               lane % 8 > 5 ? lane : lane + 2,
                               lane ^ 7,
                               0xf,
                               2,
                               lane < 16 ? lane ^ 1 : lane ^ 2,
                               22};
      for (size_t k = 0; k < 8; ++k) {
        REQUIRE(y.values()[static_cast<size_t>(t) * 8 + k] == static_cast<float>(expected[k]));
      }
    }
    int* const counts = static_cast<int*>(emulation::allocate(6 * sizeof(int)));
    std::fill_n(counts, 6, 0);
    launch({}, {"atomic", dim3(3), dim3(40)}, atomic_kernel, counts);
    CHECK(std::vector<int>(counts, counts + 6) == std::vector<int>{30, 30, 30, 30, 7, 9});
    emulation::release(counts);
  }
}

TEST_CASE("cuda emulation: faults show") {
  std::vector<float> result;
  set_turn(0);
  CHECK_FALSE(shows(no_fault));
  CHECK(shows(missing_barrier));
  CHECK(shows(between_blocks));
  CHECK(shows(never_written));
  set_turn(0);
  const auto names = [&](Fault fault, const char* words) {
    const std::string what = run_faulty(fault, result);
    INFO(what);
    CHECK(what.find("faulty: ") == 0);
    CHECK(what.find(words) != std::string::npos);
  };
  names(different_barriers, "different __syncthreads");
  names(barrier_after_return, "__syncthreads");
  names(mask_of_returned_lanes, "returned");
  names(mask_without_caller, "lacks the lane");
#ifndef __SANITIZE_ADDRESS__  // which ends the program at the access
  names(write_past_shared, "past the end of shared array shared");
  names(write_past_device, "past the end of device memory");
#endif
  // And goes on afterwards.
  CHECK(run_faulty(no_fault, result).empty());
}

TEST_CASE("cuda emulation: a launch that no GPU would take says so") {
  const std::string what = fault_of([] { launch({}, {"large", dim3(1), dim3(1025)}, places_kernel, nullptr); });
  CHECK(what.find("large: cannot be launched as 1x1x1 blocks of 1025x1x1 threads") == 0);
}

}  // namespace fer::test
