// The elementwise operations as classes, for the fusion pass; everyone else calls add(a, b) and the like from ops.h.
#pragma once

#include "autograd/operation.h"

namespace fer {

// Inputs of one floating-point type and shape, an output like them that may take any input's memory. Those that pixels
// are attacked with keep to f32.
class Elementwise : public Operation {
 public:
  std::string name() const override { return name_; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place() const override;

 protected:
  Elementwise(const char* name, int inputs, int64_t flops) : name_(name), inputs_(inputs), flops_(flops) {}

 private:
  const char* name_;
  int inputs_;
  int64_t flops_;  // per element
};

#define FER_GRADIENT std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override
#define FER_PREPARE                                                                                                    \
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs, const PrepareOptions& options) \
      const override

class Add : public Elementwise {
 public:
  Add() : Elementwise("add", 2, 1) {}
  FER_GRADIENT;
  FER_PREPARE;
};

class Multiply : public Elementwise {
 public:
  Multiply() : Elementwise("multiply", 2, 1) {}
  FER_GRADIENT;
  FER_PREPARE;
};

class Scale : public Elementwise {
 public:
  explicit Scale(double factor) : Elementwise("scale", 1, 1), factor(factor) {}
  Attributes attributes() const override { return {{"factor", factor}}; }
  FER_GRADIENT;
  FER_PREPARE;

  const double factor;
};

class Sign : public Elementwise {
 public:
  Sign() : Elementwise("sign", 1, 1) {}
  FER_GRADIENT;
  Half half() const override { return Half::never; }
  FER_PREPARE;
};

class Clamp : public Elementwise {
 public:
  Clamp(double low, double high) : Elementwise("clamp", 1, 2), low(low), high(high) {}
  Attributes attributes() const override { return {{"low", low}, {"high", high}}; }
  FER_GRADIENT;
  Half half() const override { return Half::never; }
  FER_PREPARE;

  const double low, high;
};

// x, dy -> dy where low <= x <= high, else 0.
class ClampBackward : public Elementwise {
 public:
  ClampBackward(double low, double high) : Elementwise("clamp_backward", 2, 2), low(low), high(high) {}
  Half half() const override { return Half::never; }
  FER_PREPARE;

  const double low, high;
};

// x, g -> clamp(x + epsilon sign(g), low, high). Recorded by the fusion pass only.
class SignStep : public Elementwise {
 public:
  SignStep(double epsilon, double low, double high)
      : Elementwise("sign_step", 2, 5), epsilon(epsilon), low(low), high(high) {}
  Half half() const override { return Half::never; }
  FER_PREPARE;

  const double epsilon, low, high;
};

// x, origin, g -> x + epsilon sign(g) inside the ball of `radius` around the origin and inside [0, 1].
class BallStep : public Elementwise {
 public:
  BallStep(double epsilon, double radius) : Elementwise("ball_step", 3, 7), epsilon(epsilon), radius(radius) {}
  FER_GRADIENT;
  Half half() const override { return Half::never; }
  FER_PREPARE;

  const double epsilon, radius;
};

// x -> the scalar sum of its elements.
class Sum : public Operation {
 public:
  std::string name() const override { return "sum"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  FER_GRADIENT;
  FER_PREPARE;
};

// A scalar -> `shape` filled with it.
class Broadcast : public Operation {
 public:
  explicit Broadcast(Shape shape) : shape(shape) {}
  std::string name() const override { return "broadcast"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  FER_GRADIENT;
  FER_PREPARE;

  const Shape shape;
};

#undef FER_GRADIENT
#undef FER_PREPARE

}  // namespace fer
