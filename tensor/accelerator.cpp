#include "tensor/accelerator.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>

namespace fer {

namespace {

constexpr const char* library_name = "libfer_cuda.so";

FoundAccelerator search() {
  std::error_code failed;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", failed).parent_path();
  for (const std::filesystem::path& place : {program / library_name, program.parent_path() / "lib" / library_name}) {
    if (std::filesystem::exists(place, failed)) {
      return open_accelerator(place);
    }
  }
  return {nullptr, std::string("there is no ") + library_name + " beside the program (" + program.string() +
                       "); build with CUDA's nvcc on the PATH, or with cmake -DFER_CUDA=ON"};
}

FoundAccelerator& found() {
  static FoundAccelerator instance = search();
  return instance;
}

}  // namespace

std::shared_ptr<std::byte> allocate_on(const std::shared_ptr<Accelerator>& accelerator, int64_t bytes, Reach reach) {
  void* const memory = accelerator->allocate(std::max<int64_t>(bytes, 1), reach);
  return {static_cast<std::byte*>(memory), [accelerator](std::byte* data) { accelerator->release(data); }};
}

Tensor shared_tensor(const std::shared_ptr<Accelerator>& accelerator, DType dtype, Shape shape) {
  AnyView view{nullptr, dtype, shape};
  const auto memory = allocate_on(accelerator, view.bytes(), Reach::shared);
  view.data = memory.get();
  std::memset(view.data, 0, static_cast<size_t>(view.bytes()));
  return {view, memory};
}

FoundAccelerator open_accelerator(const std::filesystem::path& library, std::string_view abi) {
  const auto unusable = [&](const auto&... why) {
    std::ostringstream text;
    ((text << library.string() << ' ') << ... << why);
    return FoundAccelerator{nullptr, text.str()};
  };
  // Never closed: what it allocated may outlive everything here.
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    return unusable("cannot be opened: ", dlerror());
  }
  const auto abi_of = reinterpret_cast<const char* (*)()>(dlsym(handle, "fer_cuda_abi"));
  const auto open = reinterpret_cast<Accelerator* (*)(std::string*)>(dlsym(handle, "fer_cuda_open"));
  if (abi_of == nullptr || open == nullptr) {
    return unusable("is not Ferrotype's CUDA library: it has no fer_cuda_open");
  }
  const std::string_view expected = abi.empty() ? std::string_view(FER_CUDA_ABI) : abi;
  if (expected != abi_of()) {
    return unusable("was built from other sources (", abi_of(), ") than the program (", expected,
                    "); build both again: ./dev build");
  }
  FoundAccelerator result;
  result.accelerator.reset(open(&result.reason));
  return result;
}

const FoundAccelerator& find_accelerator() { return found(); }

std::shared_ptr<Accelerator> accelerator_for(Device device) {
  if (device != Device::cuda) {
    return nullptr;
  }
  if (!found().accelerator) {
    fail("device cuda is unavailable: ", found().reason, "; use --device cpu");
  }
  return found().accelerator;
}

ReplacedAccelerator::ReplacedAccelerator(FoundAccelerator instead) : before_(std::move(found())) {
  found() = std::move(instead);
}

ReplacedAccelerator::~ReplacedAccelerator() { found() = std::move(before_); }

}  // namespace fer
