// One factory a network file; the registry lists them.
#pragma once

#include "models/model.h"

namespace fer {

// cnn.cpp: the first `blocks` of paper 004's five.
std::unique_ptr<Module> make_cnn(int blocks, Scope scope, const ModelOptions& options);
template <int blocks>
std::unique_ptr<Module> make_cnn(Scope scope, const ModelOptions& options) {
  return make_cnn(blocks, scope, options);
}

std::unique_ptr<Module> make_mobilenet_v2(Scope scope, const ModelOptions& options);
std::unique_ptr<Module> make_se_separable(Scope scope, const ModelOptions& options);

}  // namespace fer
