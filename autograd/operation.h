// What every operation tells the graph, the planner and the executor about itself.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/context.h"
#include "kernels/cuda/stream.h"
#include "tensor/device.h"
#include "tensor/tensor.h"

namespace fer {

namespace cuda {
struct KernelTable;
}

class Graph;
class Operation;
class Value;

struct ValueType {
  DType dtype = DType::f32;
  Shape shape;

  int64_t bytes() const { return shape.size() * size_of(dtype); }
  bool operator==(const ValueType&) const = default;
};

std::ostream& operator<<(std::ostream& out, const ValueType& type);

// What a kernel costs at least: arithmetic (2 x multiply-adds, plus other operations) and bytes moved.
struct Cost {
  int64_t flops = 0;  // by the operation's definition
  int64_t bytes = 0;
  int64_t saved_flops = 0;  // of those, that the kernel chosen does not do

  int64_t done_flops() const { return flops - saved_flops; }
  friend Cost operator*(int64_t times, const Cost& cost) {
    return {times * cost.flops, times * cost.bytes, times * cost.saved_flops};
  }
};

// A kernel made ready for fixed shapes: run many times, without allocation. `in` and `out` follow the operation's
// inputs and outputs; `workspace` has at least `workspace_bytes` bytes, aligned to memory_alignment. All of it, `step`
// too, is in the memory of `device`, where a run is only queued.
struct Kernel {
  std::function<void(const StepContext* step, std::span<const AnyView> in, std::span<const AnyView> out,
                     std::byte* workspace)>
      run;
  int64_t workspace_bytes = 0;
  Device device = Device::cpu;

  std::string algorithm{};  // of a library: which it chose

  // Types of `in` and `out` where f32 was recorded: f32 or bf16. Empty: as recorded.
  std::vector<DType> reads{}, writes{};

  // What a kernel wants in its device's memory beside the views, made of their addresses: the executor has it written
  // when they are known and appends it to `in` (of type u8).
  int64_t table_bytes = 0;
  std::function<void(std::span<const AnyView> in, std::span<const AnyView> out, std::byte* table)> write_table{};

  // What a kernel makes of weights alone, where PrepareOptions::weights_stay: the executor has it made once and appends
  // it to `in` (of type u8).
  int64_t kept_bytes = 0;
  std::function<void(std::span<const AnyView> in, std::byte* kept)> keep{};

  int64_t saved_flops = 0;  // of the operation's definition, that are not done
};

struct PrepareOptions {
  bool reference = false;                   // the plain loop instead of the fast path, where there are two
  bool weights_stay = false;                // variables are the same in every run
  const cuda::KernelTable* cuda = nullptr;  // kernels for device cuda are wanted; null: for the CPU
  cuda::Stream stream;                      // that they are queued on
  // bf16: kernels that read and write activations in it (for operations that take part: see Half).
  Precision precision = Precision::fp32;
};

// How an operation takes part in Precision::bf16: always, where an input is in bf16 already, never, or by itself: it is
// told the types that its inputs are stored in.
enum class Half { begins, follows, never, by_itself };

// How a result can be made again: by `operation` from inputs i and outputs ~i of the node that made it, or, where that
// is null, by the same operation from the same inputs.
struct Recipe {
  std::shared_ptr<const Operation> operation;
  std::vector<int> inputs;
};

// Some of what an operation updates, from the inputs named.
struct UpdatePart {
  std::shared_ptr<const Operation> operation;
  std::vector<int> inputs;
};

// What a gradient rule is given. `output_gradients[i]` is invalid (valid() == false) where output i does not matter.
struct GradientArguments {
  std::span<const Value> inputs;
  std::span<const Value> outputs;
  std::span<const Value> output_gradients;
  const std::vector<bool>& needed;  // which inputs' gradients are wanted
};

// What an operation was recorded with besides its inputs, by name ("stride", "epsilon").
using Attributes = std::map<std::string, double>;

class Operation {
 public:
  virtual ~Operation() = default;

  virtual std::string name() const = 0;

  // For those who write a graph down in another form: with the shapes of inputs and outputs all that there is to know
  // of an operation of evaluation. Those of training and those of gradients need not answer.
  virtual Attributes attributes() const { return {}; }

  // Types of the outputs; throws when the inputs do not fit, naming the operation, the values and the shapes.
  virtual std::vector<ValueType> infer(std::span<const ValueType> inputs) const = 0;

  // One value per input: its gradient, recorded as ordinary operations; invalid where there is none or it is not
  // needed. The default throws: an operation that cannot be differentiated says so when a gradient is asked of it.
  virtual std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const;

  // The default: no arithmetic worth counting, every input and output moved once.
  virtual Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const;

  // Inputs whose memory output 0 may take over when nobody needs them afterwards (elementwise operations).
  virtual std::vector<int> in_place() const { return {}; }

  // True when output 0 is input 0 under another shape: no kernel runs.
  virtual bool is_view() const { return false; }

  // True where only the optimizer waits for the results, so that a GPU may run it beside the gradients of data.
  virtual bool is_weight_gradient() const { return false; }

  virtual Half half() const { return Half::follows; }

  // Inputs (variables) that the kernel updates.
  virtual std::vector<int> mutates() const { return {}; }

  // For a plan that is short of memory: how to make output `output` again, to the bit; none when it cannot be done.
  // The default: by the operation itself, unless it updates something.
  virtual std::optional<Recipe> recipe(int output) const;

  // For the same: operations that one after the other do what this one does, in any order but for the last. None when
  // it cannot be divided.
  virtual std::vector<UpdatePart> parts(std::span<const ValueType> inputs) const;

  virtual Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                         const PrepareOptions& options) const = 0;
};

// Sum of the bytes of all inputs and outputs.
int64_t moved_bytes(std::span<const ValueType> inputs, std::span<const ValueType> outputs);

// Throws "<operation>: takes 3 inputs, was given 2" unless the counts agree.
void check_input_count(const Operation& operation, std::span<const ValueType> inputs, size_t expected);

}  // namespace fer
