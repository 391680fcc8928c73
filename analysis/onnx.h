// Networks as ONNX files (onnx.ai), for other programs to run.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "autograd/variables.h"
#include "models/saved_model.h"

namespace fer {

struct OnnxOptions {
  bool fold = false;       // batch-norms into the convolutions before them
  bool any_batch = false;  // the extent that the graph calls its batch may be any: "N" instead of a number
  std::map<std::string, std::string> metadata = {};
};

struct OnnxModel {
  std::string bytes;  // a ModelProto: what stands in an .onnx file
  int64_t opset = 0;  // version of the standard operations; the lowest that has those used
  int64_t nodes = 0;
  int64_t parameters = 0;              // elements of the weights, and of constants of their kind
  int64_t folded = 0;                  // batch-norms
  std::vector<int64_t> input, output;  // shapes as declared; -1 where any extent goes
};

// What `result` needs of its graph, recorded in evaluation mode. Images [N,H,W,C] become [N,C,H,W], outside and inside;
// weights keep their names and have PyTorch's layouts; those of a linear layer behind a flattened map are in C,H,W
// order, whatever their order in the file of weights. `result` is called `name`; the graph has one input, which keeps
// its name and whose first extent is the batch. Throws naming an operation, and where it stands, that has no ONNX form.
OnnxModel to_onnx(Value result, const std::string& name, const Variables& variables, const OnnxOptions& options);

// A network: input "images", f32 [N,C,H,W] with pixels in [0,1] for an `image` of [H,W,C]; output "logits" [N,classes].
// `batch` 0: any N. The metadata names the model, its options and the classes.
OnnxModel to_onnx(const LoadedNetwork& loaded, const Shape& image, int64_t batch, bool fold);

}  // namespace fer
