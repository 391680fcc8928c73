// What follows a convolution and its activation: batch-norm in evaluation, max-pooling. With gradients, and without,
// where fusion makes one operation of them.
#include "tests/cases/case.h"

namespace fer::test {

static const AddCases added = [] {
  std::vector<Case> cases;
  struct Size {
    const char* name;
    Shape x, w;
  };
  const Size sizes[] = {
      {"3x3", {2, 6, 7, 5}, {7, 3, 3, 5}},             // no tiles
      {"tiles_of_4", {1, 8, 11, 32}, {64, 3, 3, 32}},  // 2x2 lie in a tile
      {"tiles_of_3", {2, 9, 6, 32}, {32, 3, 3, 32}},   // and not
      {"5x5_tiles", {1, 7, 10, 32}, {32, 5, 5, 32}},
      {"few_tiles", {1, 4, 4, 128}, {128, 3, 3, 128}},  // threads share out the channels
  };
  for (const Size& size : sizes) {
    for (const bool norm : {false, true}) {
      for (const bool pool : {false, true}) {
        const int64_t channels = size.w[0];
        const bool bias = norm != pool;
        std::vector<CaseInput> inputs{{DType::f32, size.x}, {DType::f32, size.w}};
        if (bias) {
          inputs.push_back({DType::f32, {channels}});
        }
        if (norm) {
          inputs.push_back({DType::f32, {channels}, -1.5, 1.5});
          inputs.push_back({DType::f32, {channels}});
          inputs.push_back({DType::f32, {channels}, -1, 1, false, true});
          inputs.push_back({DType::f32, {channels}, 0.5, 2, false, true});
        }
        Case one{std::string("conv2d/finished_") + size.name + (norm ? "_norm" : "") + (pool ? "_pool" : ""), inputs,
                 [=, padding = size.w[1] / 2](auto in) {
                   const auto b = bias ? std::optional(in[2]) : std::nullopt;
                   Value y = conv2d(in[0], in[1], b, {1, symmetric_padding(padding)});
                   y = norm ? relu(y) : relu6(y);
                   if (norm) {
                     const auto of_norm = in.subspan(bias ? 3 : 2);
                     y = batch_norm(y, of_norm[0], of_norm[1], of_norm[2], of_norm[3], {1e-3, 0.1}, false);
                   }
                   return pool ? max_pool(y, {}) : y;
                 }};
        if (size.w.size() < 1 << 17) {
          cases.push_back(one);
        }
        one.name += "_alone";
        one.gradient_check = false;
        cases.push_back(one);
      }
    }
  }
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
