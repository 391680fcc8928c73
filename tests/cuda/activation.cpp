#include "kernels/cuda/activation.h"

#include "tests/cuda/trial.h"

namespace fer::test {

static const bool added = [] {
  for (Activation activation : {Activation::identity, Activation::relu, Activation::relu6, Activation::silu,
                                Activation::sigmoid, Activation::tanh}) {
    for (int64_t size : {1, 7, 129}) {
      for (bool reference : {false, true}) {
        add_kernel_case(std::string(name_of(activation)) + "/" + std::to_string(size) + (reference ? "_reference" : ""),
                        [=]<class T>(Trial& trial, T) {
                          const Shape shape{3, size};
                          const auto x = trial.input<T>(shape, -4, 8), dy = trial.input<T>(shape);
                          const auto y = trial.output<T>(shape), dx = trial.output<T>(shape);
                          activation_forward<double>(activation, x.host, y.host);
                          activation_backward<double>(activation, x.host, dy.host, dx.host);
                          trial.run([&](cuda::Stream s) {
                            cuda::activation_forward<T>(activation, x, y, s, reference);
                            cuda::activation_backward<T>(activation, x, dy, dx, s, reference);
                          });
                        });
      }
    }
  }
  return true;
}();

}  // namespace fer::test
