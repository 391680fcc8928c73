// Optimizers, as PyTorch defines them, over many tensors in one launch.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/view.h"

namespace fer {

enum class OptimizerKind { sgd, adam, adamw, nadam, radam, rmsprop };

struct OptimizerParams {
  OptimizerKind kind = OptimizerKind::adam;
  double momentum = 0;    // sgd
  bool nesterov = false;  // sgd
  double beta1 = 0.9;     // adam, adamw, nadam, radam
  double beta2 = 0.999;
  double alpha = 0.99;  // rmsprop
  double epsilon = 1e-8;
  double weight_decay = 0;        // added to the gradient; decoupled in adamw
  double momentum_decay = 0.004;  // nadam
};

// "sgd", "adam", …
std::string name_of(OptimizerKind kind);

// The kind of that name; throws listing the names there are.
OptimizerKind parse_optimizer(std::string_view name);

// Which running averages an optimizer keeps for each parameter: of the gradient (m; momentum of sgd), of its square
// (v).
bool keeps_first_moment(const OptimizerParams& params);
bool keeps_second_moment(const OptimizerParams& params);

// offsets[i] is where tensor i begins when all are laid end to end, offsets.back() their total: how a launch is divided
// into equal pieces whatever the tensors' sizes.
std::vector<int64_t> optimizer_offsets(std::span<const int64_t> sizes);

// The tensors of one update, all of type T and equal sizes index by index; moments that are not kept have no views.
struct OptimizerTensors {
  std::span<const AnyView> parameters, gradients, first_moments, second_moments;
};

// One step: updates parameters and moments in place, and state [2] = (steps done, NAdam's product of momenta).
// Moments start as zeros; what state's second element starts as does not matter. `advances` is false where this is not
// the last update of the step: state stays as it is.
template <class T>
void optimizer_update(const OptimizerParams& params, double learning_rate, View<double> state,
                      std::span<const int64_t> offsets, const OptimizerTensors& tensors, bool advances = true);

}  // namespace fer
