// The kernels of the papers' layers, one by one, under Google Benchmark: `./dev bench --kernels [OPTIONS]`. Each
// operation is recorded, differentiated and planned as in a training step; the time is that of one node.
#include <benchmark/benchmark.h>

#include <memory>

#include "analysis/single_operation.h"

namespace {

using fer::OperationSetting;

// Shapes of batches of 32: cnn_2block and VGG on 48x48 faces, mobilenet_v2 on 75x75, densenet, the classifiers.
const OperationSetting layers[] = {
    {.name = "conv2d", .shape = {32, 48, 48, 1}, .out_channels = 64},
    {.name = "conv2d", .shape = {32, 48, 48, 64}, .out_channels = 64},
    {.name = "conv2d", .shape = {32, 24, 24, 128}, .out_channels = 128},
    {.name = "conv2d", .shape = {32, 75, 75, 3}, .out_channels = 32, .stride = 2},
    {.name = "conv2d", .shape = {32, 19, 19, 144}, .out_channels = 24, .kernel = 1, .bias = false},
    {.name = "conv2d", .shape = {32, 10, 10, 192}, .out_channels = 64, .kernel = 1, .bias = false},
    {.name = "conv2d", .shape = {32, 3, 3, 512}, .out_channels = 512},
    {.name = "depthwise_conv2d", .shape = {32, 38, 38, 96}, .stride = 2, .bias = false},
    {.name = "depthwise_conv2d", .shape = {32, 19, 19, 144}, .bias = false},
    {.name = "depthwise_conv2d", .shape = {32, 5, 5, 576}, .bias = false},
    {.name = "linear", .shape = {32, 1280}, .out_channels = 7},
    {.name = "linear", .shape = {32, 4608}, .out_channels = 1024},
    {.name = "batch_norm", .shape = {32, 48, 48, 64}},
    {.name = "batch_norm", .shape = {32, 10, 10, 384}},
    {.name = "relu6", .shape = {32, 38, 38, 96}},
    {.name = "silu", .shape = {32, 24, 24, 96}},
    {.name = "max_pool", .shape = {32, 48, 48, 64}, .kernel = 2, .stride = 2, .padding = 0},
    {.name = "global_average_pool", .shape = {32, 3, 3, 1280}},
    {.name = "scale_channels", .shape = {32, 24, 24, 96}},
    {.name = "concat", .shape = {32, 12, 12, 128}},
    {.name = "dropout", .shape = {32, 24, 24, 64}},
    {.name = "cross_entropy", .shape = {32, 7}},
    {.name = "affine_grid_sample", .shape = {32, 48, 48, 3}, .size = 48},
    {.name = "augment", .shape = {32, 48, 48, 1}},
    {.name = "decode", .shape = {32, 48, 48, 1}},
};

void time_node(benchmark::State& state, const OperationSetting& setting, size_t number) {
  fer::SingleOperation single(setting, fer::Device::cpu);
  const fer::PlannedNode& node = single.plan().nodes()[number];
  std::vector<double> seconds;
  single.run(&seconds);
  for (auto _ : state) {
    single.run(&seconds);
    state.SetIterationTime(seconds[number]);
  }
  const auto all = static_cast<double>(state.iterations());
  state.counters["FLOP/s"] = {static_cast<double>(node.cost.flops) * all, benchmark::Counter::kIsRate};
  state.counters["B/s"] = {static_cast<double>(node.cost.bytes) * all, benchmark::Counter::kIsRate};
  state.counters["workspace"] = static_cast<double>(node.kernel.workspace_bytes);
}

// A benchmark for each kernel of each layer: "conv2d/[32,48,48,64]/3/s1/conv2d_backward_data".
void add_benchmarks() {
  for (const OperationSetting& setting : layers) {
    const fer::SingleOperation single(setting, fer::Device::cpu);
    const std::vector<fer::PlannedNode>& nodes = single.plan().nodes();
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (nodes[i].kernel.run) {
        const std::string name = setting.name + "/" + to_string(setting.shape) + "/" + std::to_string(setting.kernel) +
                                 "/s" + std::to_string(setting.stride) + "/" + nodes[i].operation->name();
        benchmark::RegisterBenchmark(name.c_str(), time_node, setting, i)
            ->UseManualTime()
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  add_benchmarks();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
