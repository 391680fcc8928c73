// From kernels made ready for fixed shapes to what an operation hands the planner.
#pragma once

#include "autograd/operation.h"
#include "kernels/prepared.h"

namespace fer {

// A kernel of two f32 inputs and one output.
template <class Signature>
Kernel kernel_of(const Prepared<Signature>& prepared) {
  return {[run = prepared.run](const StepContext&, auto in, auto out, std::byte* workspace) {
            run(in[0].template as<const float>(), in[1].template as<const float>(), out[0].template as<float>(),
                workspace);
          },
          prepared.workspace_bytes};
}

}  // namespace fer
