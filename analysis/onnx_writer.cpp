#include "analysis/onnx_writer.h"

namespace fer {

namespace {

onnx::TensorProto_DataType type_of(const std::string& name, DType dtype) {
  switch (dtype) {
    case DType::f32:
      return onnx::TensorProto_DataType_FLOAT;
    case DType::u8:
      return onnx::TensorProto_DataType_UINT8;
    default:
      fail("onnx: ", name, " is ", dtype, "; f32 and u8 are written");
  }
}

void describe(onnx::ValueInfoProto& value, const std::string& name, DType dtype, const std::vector<int64_t>& shape) {
  value.set_name(name);
  onnx::TypeProto_Tensor& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(type_of(name, dtype));
  for (int64_t extent : shape) {
    onnx::TensorShapeProto_Dimension& dimension = *type.mutable_shape()->add_dim();
    if (extent < 0) {
      dimension.set_dim_param("N");
    } else {
      dimension.set_dim_value(extent);
    }
  }
}

}  // namespace

std::string OnnxWriter::unique(const std::string& name) {
  std::string result = name;
  for (int copy = 2; !taken_.insert(result).second; ++copy) {
    result = name + "_" + std::to_string(copy);
  }
  return result;
}

std::string OnnxWriter::input(const std::string& name, DType dtype, const std::vector<int64_t>& shape) {
  const std::string own = unique(name);
  describe(*graph_.add_input(), own, dtype, shape);
  return own;
}

void OnnxWriter::output(const std::string& name, const std::vector<int64_t>& shape) {
  describe(*graph_.add_output(), name, DType::f32, shape);
}

std::string OnnxWriter::node(const std::string& type, const std::string& name, const std::vector<std::string>& inputs,
                             const std::vector<OnnxAttribute>& attributes) {
  const std::string own = unique(name);
  onnx::NodeProto& node = *graph_.add_node();
  node.set_op_type(type);
  node.set_name(own);
  node.add_output(own);
  for (const std::string& input : inputs) {
    node.add_input(input);
  }
  for (const OnnxAttribute& attribute : attributes) {
    onnx::AttributeProto& written = *node.add_attribute();
    written.set_name(attribute.name);
    if (const auto* integer = std::get_if<int64_t>(&attribute.value)) {
      written.set_type(onnx::AttributeProto_AttributeType_INT);
      written.set_i(*integer);
    } else if (const auto* real = std::get_if<float>(&attribute.value)) {
      written.set_type(onnx::AttributeProto_AttributeType_FLOAT);
      written.set_f(*real);
    } else if (const auto* text = std::get_if<std::string>(&attribute.value)) {
      written.set_type(onnx::AttributeProto_AttributeType_STRING);
      written.set_s(*text);
    } else {
      written.set_type(onnx::AttributeProto_AttributeType_INTS);
      for (int64_t element : std::get<std::vector<int64_t>>(attribute.value)) {
        written.add_ints(element);
      }
    }
  }
  return own;
}

std::string OnnxWriter::tensor(const std::string& name, const Tensor& elements) {
  const std::string own = unique(name);
  onnx::TensorProto& tensor = *graph_.add_initializer();
  tensor.set_name(own);
  tensor.set_data_type(type_of(name, elements.dtype()));
  for (int64_t extent : elements.shape().extents()) {
    tensor.add_dims(extent);
  }
  tensor.set_raw_data(elements.view().data, static_cast<size_t>(elements.bytes()));
  return own;
}

std::string OnnxWriter::integers(const std::string& name, const std::vector<int64_t>& elements) {
  const std::string own = unique(name);
  onnx::TensorProto& tensor = *graph_.add_initializer();
  tensor.set_name(own);
  tensor.set_data_type(onnx::TensorProto_DataType_INT64);
  tensor.add_dims(static_cast<int64_t>(elements.size()));
  tensor.set_raw_data(elements.data(), elements.size() * sizeof(int64_t));
  return own;
}

std::string OnnxWriter::number(float value) {
  const auto found = numbers_.find(value);
  if (found != numbers_.end()) {
    return found->second;
  }
  std::ostringstream name;
  name << "number/" << value;
  const std::string own = tensor(name.str(), Tensor::from<float>({}, &value));
  numbers_.emplace(value, own);
  return own;
}

}  // namespace fer
