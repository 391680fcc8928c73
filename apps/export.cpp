// fer export
#include <iostream>
#include <nlohmann/json.hpp>

#include "analysis/format.h"
#include "analysis/onnx.h"
#include "apps/commands.h"
#include "tensor/file.h"

namespace fer {

namespace {

struct ExportCommand {
  std::string run, out, batch = "dynamic";
  std::vector<int64_t> image;  // height, width, channels; empty: the network's own
  bool fold = false;
  bool json = false;

  void run_it() const {
    const LoadedNetwork loaded = load_network(run);
    const OnnxModel model = to_onnx(loaded, image_shape(loaded.saved), images_in_batch(), fold);
    write_file(out, model.bytes);
    if (json) {
      std::cout << nlohmann::json{{"file", out},
                                  {"model", loaded.saved.model},
                                  {"input", named_extents(model.input)},
                                  {"output", named_extents(model.output)},
                                  {"opset", model.opset},
                                  {"nodes", model.nodes},
                                  {"parameters", model.parameters},
                                  {"folded", model.folded},
                                  {"bytes", model.bytes.size()}}
                       .dump(2)
                << "\n";
      return;
    }
    std::cout << out << ": " << loaded.saved.model << ", images f32 " << to_text(model.input) << " in 0 … 1 -> logits "
              << to_text(model.output) << "; " << model.nodes << " nodes, " << format::grouped(model.parameters)
              << " parameters, opset " << model.opset;
    if (fold) {
      std::cout << ", " << model.folded << " batch-norms folded";
    }
    std::cout << "\n";
  }

 private:
  Shape image_shape(const SavedModel& saved) const {
    const ModelOptions own = resolve(find_model(saved.model), saved.options);
    const Shape shape = image.empty() ? Shape{own.size, own.size, own.channels} : Shape(image);
    for (int64_t extent : shape.extents()) {
      if (extent < 1) {
        fail("--input-size ", shape[0], ",", shape[1], ",", shape[2], ": height, width and channels must be positive");
      }
    }
    return shape;
  }

  // 0: any number.
  int64_t images_in_batch() const {
    if (batch == "dynamic") {
      return 0;
    }
    const bool digits = !batch.empty() && batch.size() < 10 && batch.find_first_not_of("0123456789") == batch.npos;
    const int64_t count = digits ? std::stoll(batch) : 0;
    if (count < 1) {
      fail("--batch '", batch, "': must be a positive number or dynamic");
    }
    return count;
  }

  static nlohmann::json named_extents(const std::vector<int64_t>& extents) {
    nlohmann::json result = nlohmann::json::array();
    for (int64_t extent : extents) {
      result.push_back(extent < 0 ? nlohmann::json("N") : nlohmann::json(extent));
    }
    return result;
  }

  static std::string to_text(const std::vector<int64_t>& extents) {
    std::string text = named_extents(extents).dump();
    std::erase(text, '"');
    return text;
  }
};

}  // namespace

void add_export_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("export", "a network as an ONNX file, for other programs to run");
  auto options = std::make_shared<ExportCommand>();
  command->add_option("run", options->run, "a run folder or a weights file")->required();
  command->add_option("--out", options->out, "the .onnx file to write")->required();
  command->add_flag("--fold", options->fold, "fold batch-norms into the convolutions before them");
  command->add_option("--batch", options->batch, "images in a batch: a number, or dynamic for any")
      ->capture_default_str();
  command
      ->add_option("--input-size", options->image,
                   "H,W,C of the images, when the file is to resize or replicate them (default: the network's own)")
      ->delimiter(',')
      ->expected(3);
  command->add_flag("--json", options->json, "one JSON object on standard output");
  command->callback([options] { options->run_it(); });
}

}  // namespace fer
