// cuDNN's plans for every dense convolution of every network, for a GPU that is only described.
#include <doctest/doctest.h>

#include <map>

#include "autograd/plan.h"
#include "kernels/cuda/kernel_table.h"
#include "models/model.h"
#include "tensor/file.h"
#include "tests/cuda/emulated_gpu.h"
#include "tests/temporary_folder.h"

#ifdef FER_CUDA_LIBRARIES
#include "kernels/cuda/runtime/cudnn.h"
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace fer::test {

namespace {

// A Hopper GPU by its data sheet: compute capability 9.0, 132 multiprocessors, 141 GB.
constexpr const char* hopper =
    R"({"deviceVer":900,"driverVer":13000,"cudaDeviceId":0,"totalGlobalMem":150754820096,)"
    R"("maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],"regsPerBlock":65536,)"
    R"("multiProcessorCount":132,"warpSize":32,"maxSharedMemoryPerBlock":49152,)"
    R"("maxSharedMemoryPerBlockOptin":232448,"reservedSharedMemoryPerBlock":1024,"maxRegistersPerSM":65536,)"
    R"("maxCtasPerSM":32,"maxThreadsPerBlock":1024,"maxThreadsPerSM":2048,"pciDeviceId":0,"isTccDriver":0,)"
    R"("supportCoopLaunch":1,"smClockRateKHz":1980000,"memClockRateKHz":3201000,"l2CacheSize":62914560,)"
    R"("deviceName":"NVIDIA H200"})";

#ifdef FER_CUDA_LIBRARIES
// cuDNN gives back less than it takes: what it allocates is no leak of ours.
cuda::PreparedProduct plan(const cuda::ConvolutionProduct& product, const cuda::PlannedGpu& gpu) {
#ifdef __SANITIZE_ADDRESS__
  const __lsan::ScopedDisabler disabled;
#endif
  return cuda::plan_convolution(product, gpu);
}
#endif

std::vector<cuda::ConvolutionProduct> asked;  // of prepare_convolution

// The dense convolutions of a training step of `model`.
std::vector<cuda::ConvolutionProduct> convolutions_of(const std::string& model, int64_t batch, Precision precision) {
  asked.clear();
  const EmulatedGpu emulated;
  cuda::KernelTable table = emulated.gpu->kernels();
  table.prepare_convolution = [](const cuda::ConvolutionProduct& product) {
    asked.push_back(product);
    return cuda::PreparedProduct{};  // plain loops, which are not run
  };
  PlanOptions options;
  options.kernels.cuda = &table;
  options.kernels.precision = precision;
  const ModelOptions resolved = resolve(find_model(model), {});
  Graph graph;
  const Value x = graph.input("x", DType::f32, {batch, resolved.size, resolved.size, resolved.channels});
  const Value labels = graph.input("labels", DType::i32, {batch});
  const Value loss = cross_entropy(make_model(model, graph, resolved)->forward(x, Mode::training), labels);
  make_plan(graph, gradients(loss, graph.trainable()), options);
  return asked;
}

}  // namespace

TEST_CASE("cudnn: every convolution of every network has a plan for a Hopper GPU") {
#ifdef FER_CUDA_LIBRARIES
  std::map<std::string, int> algorithms;
  int convolutions = 0;
  for (const ModelEntry& entry : models()) {
    for (Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
      for (const cuda::ConvolutionProduct& product : convolutions_of(entry.name, 128, precision)) {
        CHECK(product.precision == precision);
        std::string fault;
        try {
          ++algorithms[plan(product, {hopper, "", ""}).algorithm];
        } catch (const Error& error) {
          fault = error.what();
        }
        CHECK_MESSAGE(fault.empty(), entry.name, ": ", fault);
        ++convolutions;
      }
    }
  }
  MESSAGE(convolutions, " convolutions, ", algorithms.size(), " algorithms");
  CHECK(convolutions > 1000);
#else
  MESSAGE("skipped: built without cuDNN's headers");
#endif
}

#ifdef FER_CUDA_LIBRARIES
TEST_CASE("cudnn: a plan that was kept is taken again, a damaged one made anew") {
  const TemporaryFolder folder;
  const cuda::ConvolutionProduct product{cuda::Pass::forward, {1, symmetric_padding(1)}, {8, 19, 19, 64},
                                         {32, 3, 3, 64},      {8, 19, 19, 32},           true,
                                         Precision::tf32};
  // Who describes the GPU in other words has no plan of it in memory.
  const auto algorithm = [&](const char* words) {
    return plan(product, {std::string(hopper) + words, "hopper", folder.path()}).algorithm;
  };
  const std::string made = algorithm("");
  const auto files = [&] { return std::filesystem::directory_iterator(folder.path()); };
  REQUIRE(files() != std::filesystem::directory_iterator());
  const std::filesystem::path file = files()->path();
  const std::string kept = read_file(file);
  write_file(file, "4711" + kept.substr(kept.find(' ')));  // taken as it says
  CHECK(algorithm(" ") == "cuDNN engine 4711" + made.substr(made.find(" with")));
  write_file(file, kept.substr(0, kept.size() / 2));
  CHECK(algorithm("  ") == made);
  CHECK(read_file(file) == kept);
}
#endif

}  // namespace fer::test
