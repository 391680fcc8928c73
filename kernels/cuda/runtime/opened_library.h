// A shared library that is opened when it is first needed, so that the program starts, and runs without a GPU, where it
// is not installed.
#pragma once

#include <dlfcn.h>

#include <iostream>
#include <set>
#include <string>

#include "kernels/cuda/products.h"
#include "tensor/error.h"

namespace fer::cuda {

// Never closed: what it has made lives as long as the program. Throws, naming the library, when it cannot be opened.
class OpenedLibrary {
 public:
  // `name` is looked for where the system looks, then in `folder`, where the build has found it.
  OpenedLibrary(const char* name, const char* folder) : name_(name), handle_(dlopen(name, RTLD_NOW | RTLD_LOCAL)) {
    const std::string reason = handle_ == nullptr ? dlerror() : "";
    if (handle_ == nullptr) {
      handle_ = dlopen((std::string(folder) + "/" + name).c_str(), RTLD_NOW | RTLD_LOCAL);
    }
    if (handle_ == nullptr) {
      fail(reason, "; install it, or name its folder in LD_LIBRARY_PATH");
    }
  }

  template <class Function>
  void find(const char* symbol, Function*& function) const {
    function = reinterpret_cast<Function*>(dlsym(handle_, symbol));
    if (function == nullptr) {
      fail(name_, " has no ", symbol, ": it is too old");
    }
  }

 private:
  const char* name_;
  void* handle_;
};

// What `prepare` makes; where it throws, nothing, so that plain loops run. Each reason is said once.
template <class Prepare>
PreparedProduct or_plain_loops(const Prepare& prepare) {
  static std::set<std::string> told;
  try {
    return prepare();
  } catch (const Error& error) {
    if (told.insert(error.what()).second) {
      std::cerr << "device cuda: plain loops instead: " << error.what() << "\n";
    }
    return {};
  }
}

}  // namespace fer::cuda
