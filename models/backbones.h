// Networks that others are built on.
#pragma once

#include "models/model.h"

namespace fer {

std::unique_ptr<Module> make_resnet50(Scope scope, const ModelOptions& options);

// What stands before the classifiers: from images to a map [N,h,w,C], under torchvision's names of `features`.
// DenseNet's last batch-norm is followed by its ReLU here.
std::unique_ptr<Module> densenet121_features(Scope scope, const ModelOptions& options);   // C = 1024
std::unique_ptr<Module> mobilenet_v2_features(Scope scope, const ModelOptions& options);  // C = 1280
std::unique_ptr<Module> vgg19_features(Scope scope, const ModelOptions& options);         // C = 512, side = size / 32

}  // namespace fer
