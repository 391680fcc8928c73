// Running ONNX files outside Ferrotype, where there is a program that can.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace fer::test {

struct OnnxRun {
  std::string bytes;  // the model
  Tensor input;       // f32 or u8, images [N,H,W,C]
};

struct OnnxResults {
  std::string engine;                                // "ONNX Runtime 1.17.0"; empty: there is none
  std::map<std::string, std::vector<float>> result;  // by the name of the run
  std::map<std::string, std::string> lacking;        // the engine's complaint of a model that it cannot run
};

// Runs each with its input by tests/onnx_results.py (python3, or the Python that FER_PYTHON names).
OnnxResults run_elsewhere(const std::map<std::string, OnnxRun>& runs);

}  // namespace fer::test
