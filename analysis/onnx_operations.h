// What each recorded operation is in ONNX.
#pragma once

#include <string>
#include <vector>

#include "analysis/onnx_writer.h"
#include "autograd/program.h"

namespace fer {

// Images [N,H,W,C] are [N,C,H,W] in ONNX; values of another rank are the same in both.
std::vector<int64_t> onnx_extents(const Shape& shape);

// The oldest version of the standard's operations that has all of the program's. Older readers know older versions
// only: OpenCV 4.6 bounds values the way of version 10.
int64_t required_opset(const Program& program);

// One recorded node on its way into ONNX.
class OnnxConversion {
 public:
  // `names` are of the node's inputs. The node's result will be called `name`. `batch` is the extent that stands for
  // any number of images; -1 when the batch is as recorded.
  OnnxConversion(OnnxWriter& writer, const Program& program, const Node& node, std::vector<std::string> names,
                 std::string name, int64_t batch);

  const std::vector<std::string>& inputs() const { return names_; }
  const std::string& input(size_t i) const { return names_[i]; }
  const Shape& shape(size_t input) const;
  const Shape& result_shape() const;
  double attribute(const std::string& name) const;
  int64_t integer(const std::string& name) const { return static_cast<int64_t>(attribute(name)); }
  int64_t batch() const { return batch_; }

  // The node that makes the result; a node before it, and a constant, named behind it ("….grid").
  std::string result(const std::string& type, const std::vector<std::string>& inputs,
                     const std::vector<OnnxAttribute>& attributes = {});
  std::string step(const std::string& suffix, const std::string& type, const std::vector<std::string>& inputs,
                   const std::vector<OnnxAttribute>& attributes = {});
  std::string integers(const std::string& suffix, const std::vector<int64_t>& elements);
  std::string tensor(const std::string& suffix, const Tensor& elements);
  OnnxWriter& writer() { return writer_; }

  // Throws: the operation has no ONNX form, because of `reason`.
  [[noreturn]] void refuse(const std::string& reason) const;

 private:
  OnnxWriter& writer_;
  const Program& program_;
  const Node& node_;
  const Attributes attributes_;
  const std::vector<std::string> names_;
  const std::string name_;
  const int64_t batch_;
};

// Writes the operation of `conversion`, called `operation`; returns the name of its result.
std::string convert_operation(const std::string& operation, OnnxConversion& conversion);

}  // namespace fer
