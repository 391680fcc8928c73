#include "kernels/cuda/runtime/cudnn.h"

#include <cudnn.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "kernels/cuda/bias.h"
#include "kernels/cuda/runtime/opened_library.h"
#include "tensor/file.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

#define FER_CUDNN_FUNCTIONS(X)                                                                                         \
  X(cudnnCreate)                                                                                                       \
  X(cudnnGetVersion)                                                                                                   \
  X(cudnnSetStream)                                                                                                    \
  X(cudnnGetErrorString)                                                                                               \
  X(cudnnGetLastErrorString)                                                                                           \
  X(cudnnBackendCreateDescriptor) X(cudnnBackendDestroyDescriptor) X(cudnnBackendFinalize) X(cudnnBackendSetAttribute) \
      X(cudnnBackendGetAttribute) X(cudnnBackendExecute)

struct Cudnn {
  Cudnn() {
    const OpenedLibrary library("libcudnn.so.9", FER_CUDNN_FOLDER);
#define FER_FIND(name) library.find(#name, name);
    FER_CUDNN_FUNCTIONS(FER_FIND)
#undef FER_FIND
  }

  void check(cudnnStatus_t status, const char* what) const {
    if (status != CUDNN_STATUS_SUCCESS) {
      std::array<char, 1024> detail{};
      cudnnGetLastErrorString(detail.data(), detail.size());
      fail("cuDNN cannot ", what, ": ", cudnnGetErrorString(status), " ", detail.data());
    }
  }

#define FER_MEMBER(name) decltype(&::name) name;  // NOLINT(bugprone-macro-parentheses)
  FER_CUDNN_FUNCTIONS(FER_MEMBER)
#undef FER_MEMBER
};

const Cudnn& cudnn() {
  static const Cudnn opened;
  return opened;
}

// Made when something is first run.
cudnnHandle_t handle() {
  static const cudnnHandle_t made = [] {
    cudnnHandle_t handle = nullptr;
    cudnn().check(cudnn().cudnnCreate(&handle), "start");
    return handle;
  }();
  return made;
}

// One of the backend's descriptors: attributes, then finalize().
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type) {
    cudnn().check(cudnn().cudnnBackendCreateDescriptor(type, &raw_), "make a descriptor");
  }
  Descriptor(Descriptor&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (raw_ != nullptr) {
      cudnn().cudnnBackendDestroyDescriptor(raw_);
    }
  }

  cudnnBackendDescriptor_t raw() const { return raw_; }

  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const T* values, size_t count) {
    cudnn().check(cudnn().cudnnBackendSetAttribute(raw_, name, type, static_cast<int64_t>(count), values),
                  "take an attribute");
    return *this;
  }
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const auto& value) {
    return set(name, type, &value, 1);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, int64_t value) { return set(name, CUDNN_TYPE_INT64, value); }
  Descriptor& set(cudnnBackendAttributeName_t name, double value) { return set(name, CUDNN_TYPE_DOUBLE, value); }
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnDataType_t value) {
    return set(name, CUDNN_TYPE_DATA_TYPE, value);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const std::vector<int64_t>& values) {
    return set(name, CUDNN_TYPE_INT64, values.data(), values.size());
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, value.raw_);
  }

  template <class T>
  int64_t get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, T* values, int64_t room) const {
    int64_t count = 0;
    cudnn().check(cudnn().cudnnBackendGetAttribute(raw_, name, type, room, &count, values), "say an attribute");
    return std::min(count, room);
  }
  int64_t integer(cudnnBackendAttributeName_t name) const {
    int64_t value = 0;
    get(name, CUDNN_TYPE_INT64, &value, 1);
    return value;
  }

  Descriptor& finalize(const char* what) {
    cudnn().check(cudnn().cudnnBackendFinalize(raw_), what);
    return *this;
  }

 private:
  cudnnBackendDescriptor_t raw_ = nullptr;
};

// Names of a graph's tensors, for the addresses of a run.
enum Name : int64_t { of_a = 1, of_b, of_bias, of_result, of_sum };

// [N,H,W,C], in the order of dimensions that cuDNN has: N,C,H,W. Filters [O,kh,kw,I] likewise.
Descriptor tensor(Name name, const Shape& shape, cudnnDataType_t type, bool stored = true) {
  Descriptor result(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const int64_t n = shape[0], h = shape[1], w = shape[2], c = shape[3];
  result.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type)
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, {n, c, h, w})
      .set(CUDNN_ATTR_TENSOR_STRIDES, {c * h * w, 1, c * w, c})
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, int64_t{name})
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, int64_t{16});
  if (!stored) {
    result.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, true);
  }
  result.finalize("describe a tensor");
  return result;
}

Descriptor window(const Conv2dParams& params) {
  const Padding& padding = params.padding;
  Descriptor result(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  result.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION)
      .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2})
      .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, {1, 1})
      .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, {params.stride, params.stride})
      .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, {padding.top, padding.left})
      .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, {padding.bottom, padding.right})
      .finalize("describe a convolution");
  return result;
}

cudnnDataType_t type_of(Precision precision) {
  return precision == Precision::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

// What the backend calls the parts of a pass: the operation; its inputs in our order and its result; its window and
// factors.
struct PassNames {
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t a, b, result, window, alpha, beta;
};

PassNames names_of(Pass pass) {
  switch (pass) {
    case Pass::forward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case Pass::backward_data:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case Pass::backward_weight:
      break;
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
}

// The pass as one operation from tensors of a and b to `result`.
Descriptor convolution(const ConvolutionProduct& product, const Descriptor& result) {
  const cudnnDataType_t type = type_of(product.precision);
  const PassNames names = names_of(product.pass);
  Descriptor operation(names.operation);
  operation.set(names.a, tensor(of_a, product.pass == Pass::backward_data ? product.w : product.x, type))
      .set(names.b, tensor(of_b, product.pass == Pass::forward ? product.w : product.y, type))
      .set(names.result, result)
      .set(names.window, window(product.params))
      .set(names.alpha, 1.0)
      .set(names.beta, 0.0)
      .finalize("describe a pass");
  return operation;
}

Descriptor addition(const Descriptor& a, const Descriptor& b, const Descriptor& sum) {
  Descriptor add(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  add.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, CUDNN_POINTWISE_ADD)
      .set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT)
      .finalize("describe an addition");
  Descriptor operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, add)
      .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, a)
      .set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b)
      .set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, sum)
      .finalize("describe a bias");
  return operation;
}

const Shape& result_of(const ConvolutionProduct& product) {
  return product.pass == Pass::forward ? product.y : product.pass == Pass::backward_data ? product.x : product.w;
}

// What plans are made for: the handle of this machine's GPU, or a description.
class Target {
 public:
  explicit Target(const std::string& description) {
    if (!description.empty()) {
      described_.emplace(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
      described_
          ->set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, description.c_str(), description.size() + 1)
          .finalize("describe the GPU");
    }
  }

  Descriptor& name_for_graph(Descriptor& graph) const {
    return described_ ? graph : graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, handle());
  }
  Descriptor& name_for_choice(Descriptor& heuristic) const {
    return described_ ? heuristic.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *described_) : heuristic;
  }
  Descriptor& name_for_plan(Descriptor& plan) const {
    return described_ ? plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *described_)
                      : plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, handle());
  }

 private:
  std::optional<Descriptor> described_;
};

// The pass, with its bias when `fused`.
Descriptor graph_of(const ConvolutionProduct& product, bool fused, const Target& target) {
  const cudnnDataType_t type = type_of(product.precision);
  std::vector<Descriptor> operations;
  const Descriptor result = tensor(of_result, result_of(product), type);
  if (fused) {
    const Descriptor sum = tensor(of_sum, product.y, CUDNN_DATA_FLOAT, false);
    operations.push_back(convolution(product, sum));
    operations.push_back(addition(sum, tensor(of_bias, {1, 1, 1, product.w[0]}, CUDNN_DATA_FLOAT), result));
  } else {
    operations.push_back(convolution(product, result));
  }
  std::vector<cudnnBackendDescriptor_t> raw;
  for (const Descriptor& operation : operations) {
    raw.push_back(operation.raw());
  }
  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, raw.data(), raw.size());
  target.name_for_graph(graph).finalize("describe a graph");
  return graph;
}

// Results are the same in every run, and in fp32 those of single precision.
bool is_allowed(const Descriptor& engine, Precision precision) {
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  const int64_t count = engine.get(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, notes.data(),
                                   static_cast<int64_t>(notes.size()));
  return std::all_of(notes.begin(), notes.begin() + count, [&](cudnnBackendNumericalNote_t note) {
    switch (note) {
      case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
      case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
        return precision != Precision::fp32;
      case CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP:
        return true;
      default:  // not the same every time, sums in less precision, Fourier and Winograd transforms
        return false;
    }
  });
}

std::string text_of(const ConvolutionProduct& product) {
  const Padding& p = product.params.padding;
  std::ostringstream text;
  text << static_cast<int>(product.pass) << ' ' << product.x << product.w << product.y << ' ' << product.params.stride
       << ' ' << p.top << ' ' << p.bottom << ' ' << p.left << ' ' << p.right << ' ' << product.bias << ' '
       << static_cast<int>(product.precision);
  return text.str();
}

struct ConvolutionPlan {
  Descriptor plan;
  int64_t workspace_bytes;
  int64_t engine;
  bool fused;  // the bias is in it
};

// Plans on disk, one a file: "engine fused" on the first line, then what cuDNN writes of it. Compiled ones take a
// second to make anew.
std::filesystem::path file_of(const ConvolutionProduct& product, const PlannedGpu& gpu) {
  const std::string key = gpu.name + text_of(product);
  return gpu.folder / ("cudnn-" + std::to_string(cudnn().cudnnGetVersion()) + "-" +
                       std::to_string(std::hash<std::string>()(key)) + ".plan");
}

std::unique_ptr<ConvolutionPlan> kept_plan(const std::filesystem::path& file, const Target& target) {
  std::ifstream in(file);
  int64_t engine = 0;
  bool fused = false;
  std::string text;
  if (!(in >> engine >> fused) || !std::getline(in >> std::ws, text, '\0')) {
    return nullptr;
  }
  try {
    Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    target.name_for_plan(plan)
        .set(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, text.c_str(), text.size() + 1)
        .finalize("take a plan that was kept");
    const int64_t bytes = plan.integer(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
    return std::make_unique<ConvolutionPlan>(ConvolutionPlan{std::move(plan), bytes, engine, fused});
  } catch (const Error&) {
    return nullptr;  // of another build of cuDNN, or damaged: planned anew
  }
}

// A plan that cannot be kept is made again the next time.
void keep(const ConvolutionPlan& plan, const std::filesystem::path& file) {
  try {
    int64_t length = 0;
    cudnn().check(cudnn().cudnnBackendGetAttribute(plan.plan.raw(), CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                                   CUDNN_TYPE_CHAR, 0, &length, nullptr),
                  "write a plan");
    std::string text(static_cast<size_t>(length), '\0');
    plan.plan.get(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, text.data(), length);
    std::filesystem::create_directories(file.parent_path());
    std::ostringstream whole;
    whole << plan.engine << ' ' << plan.fused << '\n' << text.c_str();
    write_file(file, whole.str());
  } catch (const std::exception&) {
  }
}

constexpr int64_t modest_workspace = 64 << 20;

// cuDNN's first choice among the engines that are allowed and want no great workspace; null when there is none.
std::unique_ptr<ConvolutionPlan> best_plan(const ConvolutionProduct& product, bool fused, const Target& target,
                                           std::string& reason) try {
  const Descriptor graph = graph_of(product, fused, target);
  std::unique_ptr<ConvolutionPlan> greedy;  // the least of those that want more
  for (cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    Descriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    std::vector<Descriptor> choices;
    try {
      heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
          .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
      target.name_for_choice(heuristic).finalize("choose an engine");
      int64_t count = 0;
      cudnn().check(cudnn().cudnnBackendGetAttribute(heuristic.raw(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                                     CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr),
                    "count engines");
      std::vector<cudnnBackendDescriptor_t> raw;
      for (int64_t i = 0; i < count; ++i) {
        raw.push_back(choices.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).raw());
      }
      heuristic.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, raw.data(), count);
    } catch (const Error& error) {
      reason = error.what();
      continue;
    }
    for (const Descriptor& choice : choices) {
      try {
        const Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
        cudnnBackendDescriptor_t raw = engine.raw();
        choice.get(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, &raw, 1);
        if (!is_allowed(engine, product.precision)) {
          continue;
        }
        Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
        plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, choice);
        target.name_for_plan(plan).finalize("plan a convolution");
        const int64_t bytes = plan.integer(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
        auto made = std::make_unique<ConvolutionPlan>(
            ConvolutionPlan{std::move(plan), bytes, engine.integer(CUDNN_ATTR_ENGINE_GLOBAL_INDEX), fused});
        if (bytes <= modest_workspace) {
          return made;
        }
        if (greedy == nullptr || bytes < greedy->workspace_bytes) {
          greedy = std::move(made);
        }
      } catch (const Error& error) {
        reason = error.what();
      }
    }
  }
  return greedy;
} catch (const Error& error) {  // not even the graph is taken
  reason = error.what();
  return nullptr;
}

// Both queues share the handle: calls come from one thread, and what a convolution works in is its own workspace.
void run_plan(const ConvolutionPlan& plan, const void* a, const void* b, const void* bias, void* result,
              std::byte* workspace, Stream stream) {
  cudnn().check(cudnn().cudnnSetStream(handle(), static_cast<cudaStream_t>(stream.handle)), "take a stream");
  std::vector<int64_t> names{of_a, of_b, of_result};
  std::vector<const void*> addresses{a, b, result};
  if (plan.fused) {
    names.push_back(of_bias);
    addresses.push_back(bias);
  }
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, names)
      .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, addresses.data(), addresses.size())
      .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace)
      .finalize("take addresses");
  cudnn().check(cudnn().cudnnBackendExecute(handle(), plan.plan.raw(), pack.raw()), "run a convolution");
}

}  // namespace

PreparedProduct plan_convolution(const ConvolutionProduct& product, const PlannedGpu& gpu) {
  // Layers alike, and both of the planner's looks at one, share a plan.
  static std::map<std::string, std::shared_ptr<const ConvolutionPlan>> plans;
  auto& plan = plans[gpu.description + text_of(product)];
  if (plan == nullptr) {
    const Target target(gpu.description);
    const std::filesystem::path file = gpu.folder.empty() ? "" : file_of(product, gpu);
    std::string reason = "no engine is allowed";
    plan = file.empty() ? nullptr : kept_plan(file, target);
    if (plan == nullptr) {
      std::unique_ptr<ConvolutionPlan> made;
      if (product.bias) {
        made = best_plan(product, true, target, reason);
      }
      if (made == nullptr) {
        made = best_plan(product, false, target, reason);
      }
      if (made == nullptr) {
        fail("cuDNN has no plan for convolution ", text_of(product), ": ", reason);
      }
      if (!file.empty()) {
        keep(*made, file);
      }
      plan = std::move(made);
    }
  }
  const bool adds = product.bias && !plan->fused;
  const auto run = [plan, adds, y = product.y, precision = product.precision](const void* a, const void* b,
                                                                              const void* bias, void* result,
                                                                              std::byte* workspace, Stream stream) {
    run_plan(*plan, a, b, bias, result, workspace, stream);
    const View<const float> added{static_cast<const float*>(bias), {y[3]}};
    if (adds && precision == Precision::bf16) {
      add_bias<bf16>(added, {static_cast<bf16*>(result), y}, stream);
    } else if (adds) {
      add_bias<float>(added, {static_cast<float*>(result), y}, stream);
    }
  };
  return {run, plan->workspace_bytes,
          "cuDNN engine " + std::to_string(plan->engine) + (plan->fused ? " with bias" : "")};
}

#ifndef FER_CUDA_EMULATED
PreparedProduct prepare_convolution(const ConvolutionProduct& product) {
  return or_plain_loops([&] {
    static const PlannedGpu gpu = [] {
      PlannedGpu found;
      cudaDeviceProp properties{};
      int number = 0;
      if (cudaGetDevice(&number) != cudaSuccess || cudaGetDeviceProperties(&properties, number) != cudaSuccess) {
        fail("device cuda: no GPU to plan for");
      }
      found.name = properties.name;
      const char* const cache = std::getenv("XDG_CACHE_HOME");
      const char* const home = std::getenv("HOME");
      if (cache != nullptr || home != nullptr) {
        found.folder =
            (cache != nullptr ? std::filesystem::path(cache) : std::filesystem::path(home) / ".cache") / "ferrotype";
      }
      return found;
    }();
    return plan_convolution(product, gpu);
  });
}
#endif

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
