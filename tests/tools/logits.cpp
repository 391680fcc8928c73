// What tests/check_weights.py asks of the framework: the logits of a network with given weights.
//   fer_logits MODEL WEIGHTS IMAGES.safetensors OUT.safetensors torchvision|keras CLASSES NORMALISATION
// IMAGES holds "images", f32 [N,H,W,C] in [0,1]. OUT receives "logits"; OUT.weights, the weights as a run saves them.
#include <iostream>

#include "autograd/executor.h"
#include "layers/weights.h"
#include "models/pretrained.h"
#include "models/saved_model.h"

int main(int count, char** words) {
  using namespace fer;
  try {
    if (count != 8) {
      fail("fer_logits: seven arguments are needed");
    }
    const std::string model = words[1], out = words[4];
    const Tensor images = read_safetensors(words[3]).at("images");
    ModelOptions options;
    options.classes = std::stoll(words[6]);
    options.size = images.shape()[1];
    options.convention = choice_from<Convention>(words[5]);
    options.normalisation = choice_from<Normalisation>(words[7]);
    options.head = Head::published;
    options = resolve(find_model(model), options);
    const Network network = make_network(model, options, 0);
    for (const std::string& note : Pretrained(model, words[2]).load(options, false, network)) {
      std::cerr << note << "\n";
    }
    Graph graph;
    const Value x = graph.input("images", DType::f32, images.shape());
    const Value logits = network.make(graph)->forward(x, Mode::evaluation);
    Executor executor(make_plan(graph, std::vector{logits}), Device::cpu, network.variables);
    executor.feed(x, images.view()).run({});
    TensorFile result;
    result.tensors.emplace("logits", Tensor(executor.read(logits), nullptr).clone());
    write_safetensors(out, result);
    write_safetensors(out + ".weights", weight_file(*network.variables, {}));
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
