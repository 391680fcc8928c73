// Putting an ONNX graph together, node by node.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "tensor/tensor.h"

namespace fer {

struct OnnxAttribute {
  std::string name;
  std::variant<int64_t, float, std::string, std::vector<int64_t>> value;
};

// Everything with elements has a name; adding returns it. A name that is taken gets a number behind it.
class OnnxWriter {
 public:
  // `opset`: the version of the standard's operations that nodes are written for.
  OnnxWriter(onnx::GraphProto& graph, int64_t opset) : graph_(graph), opset_(opset) {}
  int64_t opset() const { return opset_; }

  // An extent below zero is written as "N".
  std::string input(const std::string& name, DType dtype, const std::vector<int64_t>& shape);
  void output(const std::string& name, const std::vector<int64_t>& shape);

  // A node with one output, both of this name. An input "" is one left out.
  std::string node(const std::string& type, const std::string& name, const std::vector<std::string>& inputs,
                   const std::vector<OnnxAttribute>& attributes = {});

  // Initializers: f32 elements as they lie in memory; a vector of i64; a scalar, of which there is one of each value.
  std::string tensor(const std::string& name, const Tensor& elements);
  std::string integers(const std::string& name, const std::vector<int64_t>& elements);
  std::string number(float value);

 private:
  std::string unique(const std::string& name);

  onnx::GraphProto& graph_;
  const int64_t opset_;
  std::set<std::string> taken_;
  std::map<float, std::string> numbers_;
};

}  // namespace fer
