// Groups of nodes that one pass over memory can do.
#include <algorithm>

#include "autograd/ops/activation.h"
#include "autograd/ops/batch_norm.h"
#include "autograd/ops/concat.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/finished_convolution.h"
#include "autograd/ops/folded_convolution.h"
#include "autograd/ops/make_kernel.h"
#include "autograd/ops/normalised_convolution.h"
#include "autograd/ops/normalised_depthwise.h"
#include "autograd/ops/pool.h"
#include "autograd/program.h"
#include "kernels/normalised_product.h"

namespace fer {

namespace {

template <class Op>
const Op* as(const Node& node) {
  return dynamic_cast<const Op*>(node.operation.get());
}

// Rewrites one program. Nodes that were absorbed are gone, but stay until they are swept: nobody's index moves
// meanwhile.
class Fusion {
 public:
  explicit Fusion(Program& program) : program_(program) { survey(); }

  void run(const PrepareOptions& kernels) {
    const bool on_gpu = kernels.cuda != nullptr;
    for (size_t i = 0; i < program_.nodes.size(); ++i) {
      fuse_sign_step(static_cast<int>(i));
    }
    for (size_t i = 0; i < program_.nodes.size(); ++i) {
      if (as<BatchNormTraining>(program_.nodes[i]) != nullptr) {
        fuse_batch_norm<BatchNormTraining>(static_cast<int>(i));
      } else if (as<BatchNormInference>(program_.nodes[i]) != nullptr) {
        fuse_batch_norm<BatchNormInference>(static_cast<int>(i));
      }
    }
    for (size_t i = 0; i < program_.nodes.size(); ++i) {
      fold_into_convolution<Conv2dForward>(static_cast<int>(i));
      fold_into_convolution<DepthwiseForward>(static_cast<int>(i));
      if (on_gpu) {
        normalise_depthwise(static_cast<int>(i));
      }
    }
    for (size_t i = 0; i < program_.nodes.size(); ++i) {
      clamp_pooled_gradient(static_cast<int>(i));
      add_in_gradient<BatchNormTrainingBackward>(static_cast<int>(i));
      add_in_gradient<BatchNormInferenceBackward>(static_cast<int>(i));
      gate_gradient<BatchNormTrainingBackward>(static_cast<int>(i));
      gate_gradient<BatchNormInferenceBackward>(static_cast<int>(i));
      if (!on_gpu) {
        activate_convolution(static_cast<int>(i));
      }
    }
    sweep();
    for (size_t i = 0; i < program_.nodes.size(); ++i) {
      finish_convolution(static_cast<int>(i), kernels);
      normalise_in_products(static_cast<int>(i), kernels);
    }
    sweep();
  }

 private:
  Node& node(int index) { return program_.nodes[static_cast<size_t>(index)]; }
  ValueType& type(int value) { return program_.values[static_cast<size_t>(value)].type; }
  const std::vector<int>& readers(int value) const { return readers_[static_cast<size_t>(value)]; }

  // The one node that reads `value`, or -1 when there are several, none, or the caller reads it back.
  int only_reader(int value) const {
    const std::vector<int>& all = readers(value);
    return all.size() == 1 && !program_.is_output(value) ? all[0] : -1;
  }

  // The node that makes `value` if it is an Op and nothing else reads what it makes.
  template <class Op>
  int sole_producer(int value) {
    const int index = producers_[static_cast<size_t>(value)];
    return index >= 0 && as<Op>(node(index)) != nullptr && only_reader(value) >= 0 ? index : -1;
  }

  void absorb(int index) { gone_[static_cast<size_t>(index)] = true; }

  // clamp(x + epsilon sign(g), low, high), recorded as clamp(add(x, scale(sign(g)))) in either order of the sum.
  void fuse_sign_step(int index) {
    const Clamp* clamp = as<Clamp>(node(index));
    const int sum = clamp != nullptr ? sole_producer<Add>(node(index).inputs[0]) : -1;
    if (sum < 0) {
      return;
    }
    for (int side : {0, 1}) {
      const int scaled = sole_producer<Scale>(node(sum).inputs[static_cast<size_t>(side)]);
      const int sign = scaled >= 0 ? producers_[static_cast<size_t>(node(scaled).inputs[0])] : -1;
      if (sign < 0 || as<Sign>(node(sign)) == nullptr) {
        continue;
      }
      const int x = node(sum).inputs[static_cast<size_t>(1 - side)];
      const int gradient = node(sign).inputs[0];
      node(index).operation = std::make_shared<SignStep>(as<Scale>(node(scaled))->factor, clamp->low, clamp->high);
      node(index).inputs = {x, gradient};
      absorb(sum);
      absorb(scaled);  // the sign itself goes when no other step needs it: dead nodes are dropped after this pass
      return;
    }
  }

  // batch-norm -> [+ residual] -> [activation], and the gradients of the last two where one pass can do both.
  template <class Forward>
  void fuse_batch_norm(int index) {
    const Forward& plain = *as<Forward>(node(index));
    if (plain.activation != Activation::identity || plain.has_residual) {
      return;
    }
    int at = index;  // where the fused node will stand
    const int y = node(index).outputs[0];
    int residual = -1;
    // A sum of two batch-norms goes with the first of them, and is gone when the second asks.
    if (const int sum = only_reader(y); sum >= 0 && !gone_[static_cast<size_t>(sum)] && as<Add>(node(sum)) != nullptr) {
      const std::vector<int>& terms = node(sum).inputs;
      residual = terms[0] == y ? terms[1] : terms[0];
      at = sum;
    }
    Activation activation = Activation::identity;
    const int before = node(at).outputs[0];
    const int activated = forward_activation(before);
    if (activated >= 0) {
      const Activation candidate = as<ActivationForward>(node(activated))->activation;
      if (absorb_gradient<Forward>(index, activated, before, candidate, residual >= 0)) {
        activation = candidate;
        at = activated;
      }
    }
    if (at == index) {
      return;
    }
    Node fused = node(index);
    fused.operation = std::make_shared<Forward>(plain.params, activation, residual >= 0);
    if (residual >= 0) {
      fused.inputs.push_back(residual);
    }
    fused.outputs[0] = node(at).outputs[0];
    for (int between : {index, residual >= 0 ? producers_[static_cast<size_t>(before)] : index}) {
      absorb(between);
    }
    gone_[static_cast<size_t>(at)] = false;
    node(at) = fused;
    for (int output : fused.outputs) {
      producers_[static_cast<size_t>(output)] = at;
    }
  }

  // convolution -> batch-norm in evaluation with what it has absorbed. The convolution moves to the batch-norm's place.
  template <class Convolution>
  void fold_into_convolution(int index) {
    const auto* norm = as<BatchNormInference>(node(index));
    const int before =
        norm != nullptr && !gone_[static_cast<size_t>(index)] ? sole_producer<Convolution>(node(index).inputs[0]) : -1;
    if (before < 0 || !FoldedConvolution::fits(*norm, std::is_same_v<Convolution, DepthwiseForward>)) {
      return;
    }
    std::vector<int> inputs = node(before).inputs;
    inputs.insert(inputs.end(), node(index).inputs.begin() + 1, node(index).inputs.end());
    node(index).operation =
        std::make_shared<FoldedConvolution>(*as<Convolution>(node(before)), node(before).inputs.size() == 3, *norm);
    node(index).inputs = std::move(inputs);
    absorb(before);
  }

  // A depthwise convolution moves to the place of the batch-norm of training that is the first to read it.
  void normalise_depthwise(int index) {
    const auto* norm = as<BatchNormTraining>(node(index));
    const int convolved = norm != nullptr ? node(index).inputs[0] : -1;
    const int before = convolved >= 0 ? producers_[static_cast<size_t>(convolved)] : -1;
    const auto* convolution = before >= 0 ? as<DepthwiseForward>(node(before)) : nullptr;
    if (convolution == nullptr || gone_[static_cast<size_t>(index)] ||
        std::ranges::any_of(readers(convolved),
                            [&](int reader) { return !gone_[static_cast<size_t>(reader)] && reader < index; })) {
      return;
    }
    std::vector<int> inputs = node(before).inputs;
    const bool bias = inputs.size() == 3;
    inputs.insert(inputs.end(), node(index).inputs.begin() + 1, node(index).inputs.end());
    node(index).operation = std::make_shared<NormalisedDepthwise>(*convolution, bias, *norm);
    node(index).inputs = std::move(inputs);
    node(index).outputs.push_back(convolved);
    producers_[static_cast<size_t>(convolved)] = index;
    absorb(before);
  }

  // batch-norm's dx + the first channels of something wider.
  template <class Backward>
  void add_in_gradient(int index) {
    for (size_t side = 0; side < 2 && as<Add>(node(index)) != nullptr; ++side) {
      const std::vector<int>& terms = node(index).inputs;
      const int slice = sole_producer<SliceChannels>(terms[1 - side]);
      const int before =
          slice < 0 || as<SliceChannels>(node(slice))->begin != 0 ? -1 : moving<Backward>(terms[side], index);
      if (before < 0 || as<Backward>(node(before))->before != Activation::identity) {
        continue;
      }
      const Backward& plain = *as<Backward>(node(before));
      node(before).inputs.push_back(node(slice).inputs[0]);
      move(before, index, std::make_shared<Backward>(plain.params, plain.activation, plain.before, true));
      absorb(slice);
    }
  }

  // batch-norm's dx, then the gradient of the activation that made its x.
  template <class Backward>
  void gate_gradient(int index) {
    const auto* slope = as<ActivationBackward>(node(index));
    const int before =
        slope == nullptr || !clamp_range(slope->activation) ? -1 : moving<Backward>(node(index).inputs[1], index);
    if (before >= 0 && node(before).inputs[1] == node(index).inputs[0] && !gone_[static_cast<size_t>(index)]) {
      const Backward& plain = *as<Backward>(node(before));
      move(before, index,
           std::make_shared<Backward>(plain.params, plain.activation, slope->activation, plain.has_added));
    }
  }

  // The Backward whose dx is `value`, if nothing but the node at `index` reads that, and nothing reads its other
  // results before; or -1.
  template <class Backward>
  int moving(int value, int index) {
    const int before = sole_producer<Backward>(value);
    const bool moves =
        before >= 0 && node(before).outputs[0] == value && std::ranges::none_of(node(before).outputs, [&](int output) {
          return std::ranges::any_of(readers(output), [&](int reader) { return reader < index; });
        });
    return moves ? before : -1;
  }

  // The gradient of max-pooling, then that of the activation before it: the other way round, on fewer pixels and by
  // what the pooling made. Where an activation clamped the largest, it let nothing of their gradients through either.
  void clamp_pooled_gradient(int index) {
    const auto* slope = as<ActivationBackward>(node(index));
    const int spread = slope == nullptr || gone_[static_cast<size_t>(index)] || !clamp_range(slope->activation)
                           ? -1
                           : sole_producer<MaxPoolBackward>(node(index).inputs[1]);
    const int pool = spread < 0 ? -1 : producers_[static_cast<size_t>(node(spread).inputs[0])];
    if (pool < 0 || as<MaxPool>(node(pool)) == nullptr || node(pool).inputs[0] != node(index).inputs[0]) {
      return;
    }
    const int activated = node(index).inputs[0];
    const int pooled = node(pool).outputs[0], argmax = node(pool).outputs[1], between = node(spread).outputs[0];
    std::swap(node(spread).operation, node(index).operation);
    node(spread).inputs[0] = pooled;
    node(index).inputs = {argmax, between};
    type(between) = type(pooled);
    std::erase(readers_[static_cast<size_t>(activated)], index);
    readers_[static_cast<size_t>(pooled)].push_back(spread);
    readers_[static_cast<size_t>(argmax)] = {index};
  }

  // What the node at `from` does, and more: in the place of the node at `to`, with its result.
  void move(int from, int to, std::shared_ptr<const Operation> operation) {
    node(from).operation = std::move(operation);
    node(from).outputs[0] = node(to).outputs[0];
    node(to) = node(from);
    absorb(from);
    for (int output : node(to).outputs) {
      producers_[static_cast<size_t>(output)] = to;
    }
  }

  // convolution -> an activation that clamps. After batch-norms had their choice of convolutions.
  void activate_convolution(int index) {
    const auto* convolution = as<Conv2dForward>(node(index));
    const int result = convolution == nullptr || gone_[static_cast<size_t>(index)] ? -1 : node(index).outputs[0];
    const int next = result < 0 ? -1 : only_reader(result);
    const auto* activation = next < 0 || gone_[static_cast<size_t>(next)] ? nullptr : as<ActivationForward>(node(next));
    if (activation != nullptr && clamp_range(activation->activation)) {
      move(index, next, std::make_shared<Conv2dForward>(convolution->params, activation->activation));
    }
  }

  // convolution [-> activation that clamps] -> batch-norm in evaluation and then max-pooling, or one of the two.
  void finish_convolution(int index, const PrepareOptions& kernels) {
    const auto* convolution = as<Conv2dForward>(node(index));
    if (convolution == nullptr || gone_[static_cast<size_t>(index)]) {
      return;
    }
    std::vector<int> inputs = node(index).inputs;
    const ValueType result = type(node(index).outputs[0]);
    const Shape w = type(inputs[1]).shape;
    if (!takes_prepared(result.dtype, kernels)) {
      return;
    }
    const bool bias = inputs.size() == 3;
    int last = index;
    std::optional<BatchNormParams> norm;
    if (const int next = only_reader(node(last).outputs[0]);
        next >= 0 && has_finishing_kernel(convolution->params, w, result.shape)) {
      const auto* after = as<BatchNormInference>(node(next));
      if (after != nullptr && after->activation == Activation::identity && !after->has_residual &&
          node(next).inputs[0] == node(last).outputs[0]) {
        norm = after->params;
        inputs.insert(inputs.end(), node(next).inputs.begin() + 1, node(next).inputs.end());
        last = next;
      }
    }
    const int next = only_reader(node(last).outputs[0]);
    const auto* pool = next < 0 ? nullptr : as<MaxPool>(node(next));
    const bool pools = pool != nullptr && pool->params == PoolParams{.kernel = 2, .stride = 2} &&
                       readers(node(next).outputs[1]).empty() && !program_.is_output(node(next).outputs[1]) &&
                       has_pooling_kernel(convolution->params, w, result.shape);
    if (pools) {
      absorb(last);
      last = next;
    }
    if (last != index) {
      absorb(index);
      gone_[static_cast<size_t>(last)] = false;
      node(last).operation = std::make_shared<FinishedConvolution>(*convolution, bias, norm, pools);
      node(last).inputs = std::move(inputs);
      node(last).outputs.resize(1);
    }
  }

  // batch-norm of training -> 1x1 convolution, and the gradient of its weights, which read nothing else.
  void normalise_in_products(int index, const PrepareOptions& kernels) {
    const auto* norm = as<BatchNormTraining>(node(index));
    if (norm == nullptr || norm->has_residual) {
      return;
    }
    const std::vector<int> of_norm = node(index).inputs, made = node(index).outputs;
    const ValueType y = type(made[0]);
    if (!takes_prepared(y.dtype, kernels) || program_.is_output(made[0])) {
      return;
    }
    std::vector<int> reading;
    for (const int reader : readers(made[0])) {
      const auto* forward = as<Conv2dForward>(node(reader));
      const auto* gradient = as<Conv2dBackwardWeight>(node(reader));
      const std::vector<int>& inputs = node(reader).inputs;
      if ((forward == nullptr || forward->activation != Activation::identity) &&
          (gradient == nullptr || gradient->bias)) {
        return;
      }
      const Shape w = gradient != nullptr ? gradient->w : type(inputs[1]).shape;
      const Conv2dParams& params = gradient != nullptr ? gradient->params : forward->params;
      const NormalisedShape shape{norm->activation, y.shape.size() / w[3], w[3], w[0]};
      if (inputs.size() != 2 || inputs[0] != made[0] || inputs[1] == made[0] || w[1] * w[2] != 1 ||
          params.stride != 1 || params.padding != Padding{} || !shape.is_worth_it()) {
        return;
      }
      reading.push_back(reader);
    }
    for (const int reader : reading) {
      if (as<Conv2dForward>(node(reader)) != nullptr) {
        node(reader).operation = std::make_shared<NormalisedConvolution>(norm->activation);
      } else {
        node(reader).operation = std::make_shared<NormalisedConvolutionBackwardWeight>(norm->activation);
      }
      node(reader).inputs = {of_norm[0], of_norm[1], of_norm[2], made[1], made[2], node(reader).inputs[1]};
    }
    if (!reading.empty()) {
      node(index).operation = std::make_shared<BatchNormTraining>(norm->params, norm->activation, false, 0, false);
      node(index).outputs = {made[1], made[2]};
    }
  }

  // The activation that alone (but for its own gradient) reads `value`, or -1.
  int forward_activation(int value) {
    int found = -1;
    if (program_.is_output(value)) {
      return -1;
    }
    for (int reader : readers(value)) {
      if (as<ActivationForward>(node(reader)) != nullptr && found < 0) {
        found = reader;
      } else if (as<ActivationBackward>(node(reader)) == nullptr) {
        return -1;
      }
    }
    return found;
  }

  // Makes the gradient side fit an activation that moves into the forward node at `index`: activation_backward followed
  // by batch_norm_backward become one, unless a residual needs the gradient between them. False when it cannot be done.
  template <class Forward>
  bool absorb_gradient(int index, int activated, int before, Activation activation, bool has_residual) {
    using Backward = std::conditional_t<std::is_same_v<Forward, BatchNormTraining>, BatchNormTrainingBackward,
                                        BatchNormInferenceBackward>;
    const int result = node(activated).outputs[0];
    const int saved = activation == Activation::silu ? before : result;
    std::vector<int> slopes;
    for (int reader : readers(saved)) {
      if (const auto* backward = as<ActivationBackward>(node(reader));
          backward != nullptr && backward->activation == activation && node(reader).inputs[0] == saved) {
        slopes.push_back(reader);
      }
    }
    if (has_residual) {
      return saved == result || slopes.empty();  // the gradient pass stays, and finds what it saved still there
    }
    std::vector<int> backwards;
    for (int slope : slopes) {
      const int next = only_reader(node(slope).outputs[0]);
      if (next < 0 || as<Backward>(node(next)) == nullptr || node(next).inputs[0] != node(slope).outputs[0] ||
          node(next).inputs[1] != node(index).inputs[0]) {
        return saved == result;
      }
      backwards.push_back(next);
    }
    for (size_t i = 0; i < slopes.size(); ++i) {
      Node& backward = node(backwards[i]);
      backward.inputs[0] = node(slopes[i]).inputs[1];
      backward.operation = std::make_shared<Backward>(as<Backward>(backward)->params, activation);
      absorb(slopes[i]);
    }
    return true;
  }

  void survey() {
    readers_ = program_.readers();
    producers_ = program_.producers();
    gone_.assign(program_.nodes.size(), false);
  }

  void sweep() {
    std::vector<Node> kept;
    for (size_t i = 0; i < program_.nodes.size(); ++i) {
      if (!gone_[i]) {
        kept.push_back(std::move(program_.nodes[i]));
      }
    }
    program_.nodes = std::move(kept);
    survey();
  }

  Program& program_;
  std::vector<std::vector<int>> readers_;
  std::vector<int> producers_;
  std::vector<bool> gone_;
};

}  // namespace

void fuse(Program& program, const PrepareOptions& kernels) { Fusion(program).run(kernels); }

}  // namespace fer
