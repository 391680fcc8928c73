// The library fer_cuda as an Accelerator: the CUDA runtime, and the kernels that nvcc made.
#include "tensor/accelerator.h"

#include <cuda_runtime.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "kernels/cuda/kernel_table.h"
#include "tensor/memory.h"

namespace fer::cuda {

namespace {

constexpr int oldest_capability = 80;

void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) {
    fail("device cuda: ", what, ": ", cudaGetErrorString(status));
  }
}

using Streams = std::array<cudaStream_t, 2>;  // by Queue

class GpuEvent : public Event {
 public:
  explicit GpuEvent(const Streams& streams) : streams_(streams) {
    check(cudaEventCreate(&event_), "cannot make an event");
  }
  GpuEvent(const GpuEvent&) = delete;
  GpuEvent& operator=(const GpuEvent&) = delete;
  ~GpuEvent() override { cudaEventDestroy(event_); }

  void mark(Queue queue) override {
    check(cudaEventRecord(event_, streams_[static_cast<size_t>(queue)]), "cannot mark a stream");
  }
  void hold(Queue queue) override {
    check(cudaStreamWaitEvent(streams_[static_cast<size_t>(queue)], event_, 0), "cannot hold a stream");
  }
  double seconds_since(const Event& earlier) override {
    float milliseconds = 0;
    check(cudaEventSynchronize(event_), "a kernel failed");
    check(cudaEventElapsedTime(&milliseconds, static_cast<const GpuEvent&>(earlier).event_, event_), "keeps no time");
    return 1e-3 * double{milliseconds};
  }

 private:
  const Streams streams_;
  cudaEvent_t event_ = nullptr;
};

class Graph : public CapturedRun {
 public:
  Graph(cudaGraph_t graph, cudaStream_t stream) : stream_(stream) {
    cudaGraphGetNodes(graph, nullptr, &size_);
    const cudaError_t status = cudaGraphInstantiate(&graph_, graph, 0);
    cudaGraphDestroy(graph);
    check(status, "cannot make a graph of the step");
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() override { cudaGraphExecDestroy(graph_); }

  void replay() override { check(cudaGraphLaunch(graph_, stream_), "cannot run the step's graph"); }
  int64_t size() const override { return static_cast<int64_t>(size_); }

 private:
  size_t size_ = 0;
  cudaGraphExec_t graph_ = nullptr;
  cudaStream_t stream_;
};

class Gpu : public Accelerator {
 public:
  explicit Gpu(int number) {
    check(cudaSetDevice(number), "cannot be used");
    check(cudaGetDeviceProperties(&properties_, number), "cannot be asked what it is");
    for (cudaStream_t& stream : streams_) {
      check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cannot make a stream");
    }
    check(cudaMallocHost(reinterpret_cast<void**>(&staged_), staged_bytes), "cannot pin memory");
  }
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;
  ~Gpu() override {
    cudaFreeHost(staged_);
    for (cudaStream_t stream : streams_) {
      cudaStreamDestroy(stream);
    }
  }

  std::string name() const override { return properties_.name; }
  int compute_capability() const override { return 10 * properties_.major + properties_.minor; }
  std::string pci_bus_id() const override {
    char address[32];
    std::snprintf(address, sizeof address, "%08x:%02x:%02x.0", properties_.pciDomainID, properties_.pciBusID,
                  properties_.pciDeviceID);
    return address;
  }
  int64_t total_bytes() const override { return memory().second; }
  int64_t free_bytes() const override { return memory().first; }

  void* allocate(int64_t bytes, Reach reach) override {
    void* memory = nullptr;
    const auto size = static_cast<size_t>(bytes);
    const cudaError_t status = reach == Reach::shared ? cudaMallocManaged(&memory, size) : cudaMalloc(&memory, size);
    if (status != cudaSuccess) {
      cudaGetLastError();  // forget it: the next call is not to blame
      fail("device cuda: cannot allocate ", bytes, " bytes on ", name(), " (", free_bytes(),
           " are free): ", cudaGetErrorString(status));
    }
    return memory;
  }
  // Kernels that still use it are waited for.
  void release(void* memory) noexcept override { cudaFree(memory); }

  // A copy from memory that is not pinned may wait for the queue: what is small goes through some that is.
  void copy_in(void* to, const void* from, int64_t bytes) override {
    if (bytes <= staged_bytes / 16) {
      if (staged_end_ + bytes > staged_bytes) {
        synchronize();
        staged_end_ = 0;
      }
      from = std::memcpy(staged_ + staged_end_, from, static_cast<size_t>(bytes));
      staged_end_ = round_up(staged_end_ + bytes, memory_alignment);
    }
    check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault, stream_), "cannot copy to it");
  }
  void copy_out(void* to, const void* from, int64_t bytes) override {
    check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault, stream_), "cannot copy from it");
    synchronize();
  }
  void copy(void* to, const void* from, int64_t bytes) override {
    check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault, stream_), "cannot copy on it");
  }
  void fill(void* to, std::byte value, int64_t bytes) override {
    check(cudaMemsetAsync(to, static_cast<int>(value), static_cast<size_t>(bytes), stream_), "cannot fill memory");
  }
  void synchronize() override { check(cudaStreamSynchronize(stream_), "a kernel failed"); }

  void* stream(Queue queue) const override { return streams_[static_cast<size_t>(queue)]; }
  std::unique_ptr<Event> make_event() override { return std::make_unique<GpuEvent>(streams_); }
  const KernelTable& kernels() const override { return kernel_table(); }

  std::unique_ptr<CapturedRun> capture(const std::function<void()>& launches) override {
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "cannot record the step");
    cudaGraph_t graph = nullptr;
    try {
      launches();
    } catch (...) {
      cudaStreamEndCapture(stream_, &graph);
      cudaGraphDestroy(graph);
      throw;
    }
    check(cudaStreamEndCapture(stream_, &graph), "cannot record the step");
    return std::make_unique<Graph>(graph, stream_);
  }

 private:
  std::pair<int64_t, int64_t> memory() const {
    size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "cannot be asked for its memory");
    return {static_cast<int64_t>(free), static_cast<int64_t>(total)};
  }

  static constexpr int64_t staged_bytes = 1 << 20;

  cudaDeviceProp properties_{};
  Streams streams_{};
  const cudaStream_t& stream_ = streams_[0];
  std::byte* staged_ = nullptr;
  int64_t staged_end_ = 0;  // of what the queue may still read
};

std::string version(int number) { return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10); }

// Why the runtime knows of no GPU. It says "insufficient driver" also where there is no driver at all.
std::string reason_of(cudaError_t status) {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    return "there is no NVIDIA driver on this machine";
  }
  switch (status) {
    case cudaErrorInsufficientDriver:
      return "the NVIDIA driver is for CUDA " + version(driver) + ", too old for this build's CUDA " +
             version(CUDART_VERSION) + "; update the driver";
    case cudaErrorStubLibrary:
      return "only the stub of libcuda.so is found, not the NVIDIA driver's";
    case cudaErrorNoDevice:
      return "there is no NVIDIA GPU on this machine, or CUDA_VISIBLE_DEVICES hides it";
    default:
      return std::string("CUDA cannot start: ") + cudaGetErrorString(status);
  }
}

}  // namespace

// The first GPU that is new enough; null, and the reason, when there is none.
Accelerator* open_gpu(std::string& reason) {
  int count = 0;
  if (const cudaError_t status = cudaGetDeviceCount(&count); status != cudaSuccess || count == 0) {
    reason = reason_of(status == cudaSuccess ? cudaErrorNoDevice : status);
    return nullptr;
  }
  for (int number = 0; number < count; ++number) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, number), "cannot be asked what it is");
    if (10 * properties.major + properties.minor >= oldest_capability) {
      return std::make_unique<Gpu>(number).release();
    }
    reason += (reason.empty() ? "" : ", ") + std::string(properties.name) + " has compute capability " +
              std::to_string(properties.major) + "." + std::to_string(properties.minor);
  }
  reason += "; 8.0 (Ampere) or newer is needed";
  return nullptr;
}

}  // namespace fer::cuda

// What tensor/accelerator.cpp looks for.
extern "C" {

const char* fer_cuda_abi() { return FER_CUDA_ABI; }

fer::Accelerator* fer_cuda_open(std::string* reason) {
  try {
    return fer::cuda::open_gpu(*reason);
  } catch (const std::exception& error) {
    *reason = error.what();
    return nullptr;
  }
}
}
