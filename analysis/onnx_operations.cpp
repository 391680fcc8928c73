#include "analysis/onnx_operations.h"

#include <functional>

namespace fer {

std::vector<int64_t> onnx_extents(const Shape& shape) {
  if (shape.rank() == 4) {
    return {shape[0], shape[3], shape[1], shape[2]};
  }
  return {shape.extents().begin(), shape.extents().end()};
}

OnnxConversion::OnnxConversion(OnnxWriter& writer, const Program& program, const Node& node,
                               std::vector<std::string> names, std::string name, int64_t batch)
    : writer_(writer),
      program_(program),
      node_(node),
      attributes_(node.operation->attributes()),
      names_(std::move(names)),
      name_(std::move(name)),
      batch_(batch) {}

const Shape& OnnxConversion::shape(size_t input) const {
  return program_.values[static_cast<size_t>(node_.inputs[input])].type.shape;
}

const Shape& OnnxConversion::result_shape() const {
  return program_.values[static_cast<size_t>(node_.outputs[0])].type.shape;
}

double OnnxConversion::attribute(const std::string& name) const {
  const auto found = attributes_.find(name);
  if (found == attributes_.end()) {
    refuse("it does not tell its '" + name + "'");
  }
  return found->second;
}

std::string OnnxConversion::result(const std::string& type, const std::vector<std::string>& inputs,
                                   const std::vector<OnnxAttribute>& attributes) {
  return writer_.node(type, name_, inputs, attributes);
}

std::string OnnxConversion::step(const std::string& suffix, const std::string& type,
                                 const std::vector<std::string>& inputs, const std::vector<OnnxAttribute>& attributes) {
  return writer_.node(type, name_ + "." + suffix, inputs, attributes);
}

std::string OnnxConversion::integers(const std::string& suffix, const std::vector<int64_t>& elements) {
  return writer_.integers(name_ + "." + suffix, elements);
}

std::string OnnxConversion::tensor(const std::string& suffix, const Tensor& elements) {
  return writer_.tensor(name_ + "." + suffix, elements);
}

void OnnxConversion::refuse(const std::string& reason) const {
  fail("onnx: ", node_.operation->name(), node_.scope.empty() ? "" : " in " + node_.scope,
       " cannot be written: ", reason);
}

namespace {

// ---- shapes

// Whether images have the same elements in the same places in [N,H,W,C] and in [N,C,H,W].
bool order_agrees(const Shape& shape) { return shape.rank() != 4 || shape[3] == 1 || shape[1] * shape[2] == 1; }

// Extents for a Reshape of c's input 0 into `shape`, in the order `extents`: 0 copies the batch.
std::vector<int64_t> reshape_extents(const OnnxConversion& c, std::vector<int64_t> extents) {
  const Shape &x = c.shape(0), &y = c.result_shape();
  if (x.rank() > 0 && y.rank() > 0 && x[0] == y[0]) {
    extents[0] = 0;
  } else if (c.batch() >= 0) {
    c.refuse("it changes the first extent, so that the batch must be a fixed one");
  }
  return extents;
}

std::string reshape(OnnxConversion& c) {
  const Shape& y = c.result_shape();
  std::string x = c.input(0);
  if (!order_agrees(c.shape(0))) {
    x = c.step("nhwc", "Transpose", {x}, {{"perm", std::vector<int64_t>{0, 2, 3, 1}}});
  }
  if (order_agrees(y)) {
    return c.result("Reshape", {x, c.integers("shape", reshape_extents(c, onnx_extents(y)))});
  }
  const std::vector<int64_t> nhwc{y[0], y[1], y[2], y[3]};
  x = c.step("images", "Reshape", {x, c.integers("shape", reshape_extents(c, nhwc))});
  return c.result("Transpose", {x}, {{"perm", std::vector<int64_t>{0, 3, 1, 2}}});
}

int64_t channel_axis(const Shape& shape) { return shape.rank() == 4 ? 1 : shape.rank() - 1; }

std::string slice_channels(OnnxConversion& c) {
  const int64_t begin = c.integer("begin");
  return c.result("Slice", {c.input(0), c.integers("begin", {begin}), c.integers("end", {begin + c.result_shape()[-1]}),
                            c.integers("axis", {channel_axis(c.shape(0))})});
}

// ---- layers

std::vector<int64_t> pads(const OnnxConversion& c) {
  return {c.integer("top"), c.integer("left"), c.integer("bottom"), c.integer("right")};
}

std::string convolution(OnnxConversion& c, int64_t rows, int64_t columns, int64_t groups) {
  return c.result("Conv", c.inputs(),
                  {{"kernel_shape", std::vector<int64_t>{rows, columns}},
                   {"strides", std::vector<int64_t>(2, c.integer("stride"))},
                   {"pads", pads(c)},
                   {"group", groups}});
}

std::string pool(OnnxConversion& c, const char* type) {
  return c.result(type, {c.input(0)},
                  {{"kernel_shape", std::vector<int64_t>(2, c.integer("kernel"))},
                   {"strides", std::vector<int64_t>(2, c.integer("stride"))},
                   {"pads", pads(c)}});
}

std::string batch_norm(OnnxConversion& c) {
  if (c.shape(0).rank() != 2 && c.shape(0).rank() != 4) {
    c.refuse("ONNX has channels behind the batch, which " + to_string(c.shape(0)) + " has not");
  }
  return c.result("BatchNormalization", c.inputs(), {{"epsilon", static_cast<float>(c.attribute("epsilon"))}});
}

std::string scale_channels(OnnxConversion& c) {
  const std::string shape = c.integers("shape", {0, c.shape(1)[1], 1, 1});
  return c.result("Mul", {c.input(0), c.step("factors", "Reshape", {c.input(1), shape})});
}

// Bounds were attributes before version 11.
std::string clip(OnnxConversion& c, double low, double high) {
  const auto least = static_cast<float>(low), most = static_cast<float>(high);
  return c.writer().opset() < 11 ? c.result("Clip", {c.input(0)}, {{"min", least}, {"max", most}})
                                 : c.result("Clip", {c.input(0), c.writer().number(least), c.writer().number(most)});
}

// ---- geometry

// Coordinates (x, y, 1) of the output's pixels times theta's transpose are the grid that is sampled at.
std::string affine_grid_sample(OnnxConversion& c) {
  const int64_t height = c.result_shape()[1], width = c.result_shape()[2];
  const auto centre = [](int64_t at, int64_t count) {
    return static_cast<float>(2 * at + 1 - count) / static_cast<float>(count);
  };
  Tensor points(DType::f32, {height * width, 3});
  float* point = points.data<float>();
  for (int64_t i = 0; i < height; ++i) {
    for (int64_t j = 0; j < width; ++j, point += 3) {
      point[0] = centre(j, width);
      point[1] = centre(i, height);
      point[2] = 1;
    }
  }
  const std::string theta = c.step("theta", "Transpose", {c.input(1)}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
  const std::string rows = c.step("rows", "MatMul", {c.tensor("points", points), theta});
  const std::string grid = c.step("grid", "Reshape", {rows, c.integers("shape", {0, height, width, 2})});
  return c.result("GridSample", {c.input(0), grid},
                  {{"mode", "bilinear"}, {"padding_mode", "zeros"}, {"align_corners", int64_t{0}}});
}

std::string resize_bilinear(OnnxConversion& c) {
  std::vector<int64_t> extents = onnx_extents(c.result_shape());
  std::string sizes;
  if (c.batch() < 0) {
    sizes = c.integers("sizes", extents);
  } else {
    const std::string zero = c.integers("zero", {0}), one = c.integers("one", {1});
    const std::string batch = c.step("batch", "Slice", {c.step("shape", "Shape", {c.input(0)}), zero, one});
    extents.erase(extents.begin());
    sizes = c.step("sizes", "Concat", {batch, c.integers("extents", extents)}, {{"axis", int64_t{0}}});
  }
  return c.result("Resize", {c.input(0), "", "", sizes},
                  {{"mode", "linear"}, {"coordinate_transformation_mode", "half_pixel"}});
}

// ---- all of them

std::string concat(OnnxConversion& c) { return c.result("Concat", c.inputs(), {{"axis", channel_axis(c.shape(0))}}); }

std::string decode(OnnxConversion& c) {
  const int64_t type = onnx::TensorProto_DataType_FLOAT;
  return c.result("Div", {c.step("float", "Cast", {c.input(0)}, {{"to", type}}), c.writer().number(255)});
}

std::string global_average_pool(OnnxConversion& c) {
  return c.result("Flatten", {c.step("mean", "GlobalAveragePool", {c.input(0)})}, {{"axis", int64_t{1}}});
}

std::string linear(OnnxConversion& c) {
  std::vector<std::string> inputs = c.inputs();
  if (c.shape(0).rank() == 4) {  // flatten_channels_first
    inputs[0] = c.step("flatten", "Flatten", {inputs[0]}, {{"axis", int64_t{1}}});
  }
  return c.result("Gemm", inputs, {{"transB", int64_t{1}}});
}

std::string replicate_channels(OnnxConversion& c) {
  const std::vector<std::string> copies(static_cast<size_t>(c.result_shape()[3]), c.input(0));
  return c.result("Concat", copies, {{"axis", int64_t{1}}});
}

std::string scale(OnnxConversion& c) {
  return c.result("Mul", {c.input(0), c.writer().number(static_cast<float>(c.attribute("factor")))});
}

std::string silu(OnnxConversion& c) {
  return c.result("Mul", {c.input(0), c.step("sigmoid", "Sigmoid", {c.input(0)})});
}

std::string softmax(OnnxConversion& c) { return c.result("Softmax", c.inputs(), {{"axis", int64_t{1}}}); }

using Convert = std::function<std::string(OnnxConversion& c)>;

// An operation that has the same inputs in ONNX, and nothing to set.
Convert plain(const char* type) {
  return [type](OnnxConversion& c) { return c.result(type, c.inputs()); };
}

const std::map<std::string, Convert>& conversions() {
  static const std::map<std::string, Convert> all = {
      {"add", plain("Add")},
      {"affine_grid_sample", affine_grid_sample},
      {"average_pool", [](auto& c) { return pool(c, "AveragePool"); }},
      {"batch_norm_inference", batch_norm},
      {"clamp", [](auto& c) { return clip(c, c.attribute("low"), c.attribute("high")); }},
      {"concat", concat},
      {"conv2d", [](auto& c) { return convolution(c, c.shape(1)[1], c.shape(1)[2], 1); }},
      {"decode", decode},
      {"depthwise_conv2d", [](auto& c) { return convolution(c, c.shape(1)[0], c.shape(1)[1], c.shape(1)[2]); }},
      {"global_average_pool", global_average_pool},
      {"linear", linear},
      {"max_pool", [](auto& c) { return pool(c, "MaxPool"); }},
      {"multiply", plain("Mul")},
      {"relu", plain("Relu")},
      {"relu6", [](auto& c) { return clip(c, 0, 6); }},
      {"replicate_channels", replicate_channels},
      {"reshape", reshape},
      {"resize_bilinear", resize_bilinear},
      {"scale", scale},
      {"scale_channels", scale_channels},
      {"sigmoid", plain("Sigmoid")},
      {"silu", silu},
      {"slice_channels", slice_channels},
      {"softmax", softmax},
      {"tanh", plain("Tanh")},
  };
  return all;
}

int64_t required_opset(const Node& node) {
  const std::string operation = node.operation->name();
  if (operation == "affine_grid_sample") {
    return 16;
  }
  if (operation == "resize_bilinear") {
    return 13;
  }
  return operation == "linear" && node.inputs.size() == 2 ? 11 : 10;
}

}  // namespace

int64_t required_opset(const Program& program) {
  int64_t version = 0;
  for (const Node& node : program.nodes) {
    version = std::max(version, required_opset(node));
  }
  return version;
}

std::string convert_operation(const std::string& operation, OnnxConversion& conversion) {
  const auto found = conversions().find(operation);
  if (found == conversions().end()) {
    conversion.refuse("it has no ONNX form, or is none of evaluation");
  }
  return found->second(conversion);
}

}  // namespace fer
