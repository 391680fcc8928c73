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

std::unique_ptr<Module> make_densenet121(Scope scope, const ModelOptions& options);
std::unique_ptr<Module> make_edl(Scope scope, const ModelOptions& options);
std::unique_ptr<Module> make_efficientnet_b0(Scope scope, const ModelOptions& options);
std::unique_ptr<Module> make_mobilenet_v2(Scope scope, const ModelOptions& options);
std::unique_ptr<Module> make_resnet50(Scope scope, const ModelOptions& options);
std::unique_ptr<Module> make_se_separable(Scope scope, const ModelOptions& options);
std::unique_ptr<Module> make_stn_resnet50(Scope scope, const ModelOptions& options);
std::unique_ptr<Module> make_vanilla_cnn(Scope scope, const ModelOptions& options);
std::unique_ptr<Module> make_vgg19(Scope scope, const ModelOptions& options);
std::unique_ptr<Module> make_vggface(Scope scope, const ModelOptions& options);

// What stands before the classifiers: from images to a map [N,h,w,C], under torchvision's names of `features`.
// DenseNet's last batch-norm is followed by its ReLU here.
std::unique_ptr<Module> densenet121_features(Scope scope, const ModelOptions& options);   // C = 1024
std::unique_ptr<Module> mobilenet_v2_features(Scope scope, const ModelOptions& options);  // C = 1280
std::unique_ptr<Module> vgg19_features(Scope scope, const ModelOptions& options);         // C = 512, side = size / 32

}  // namespace fer
