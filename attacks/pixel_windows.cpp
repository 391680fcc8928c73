#include "attacks/pixel_windows.h"

#include <algorithm>
#include <map>
#include <set>

#include "autograd/ops.h"

namespace fer {

namespace {

// Rows or columns of all windows on maps of one extent.
struct Axis {
  int64_t extent;
  int64_t size;                // of every window
  std::vector<int32_t> first;  // by the pixel's row or column

  bool holds(const Axis& other) const {
    for (size_t i = 0; i < first.size(); ++i) {
      if (first[i] > other.first[i] || first[i] + size < other.first[i] + other.size) {
        return false;
      }
    }
    return true;
  }
};

// What `axis` reaches through a kernel.
Axis reached(const Axis& axis, int64_t kernel, int64_t stride, int64_t before, int64_t extent) {
  Axis result{extent, 1, {}};
  std::vector<int64_t> lows;
  for (int64_t first : axis.first) {
    const int64_t from = first + before - kernel + 1;
    const int64_t low = std::min(from <= 0 ? 0 : (from + stride - 1) / stride, extent - 1);
    const int64_t high = std::min((first + axis.size - 1 + before) / stride, extent - 1);
    lows.push_back(low);
    result.size = std::max(result.size, high - low + 1);
  }
  for (int64_t low : lows) {
    result.first.push_back(static_cast<int32_t>(std::min(low, extent - result.size)));
  }
  return result;
}

// What a kernel reads to compute `axis`, parts outside the map included.
Axis read_by(const Axis& axis, int64_t kernel, int64_t stride, int64_t before) {
  Axis result{0, (axis.size - 1) * stride + kernel, {}};
  for (int64_t first : axis.first) {
    result.first.push_back(static_cast<int32_t>(first * stride - before));
  }
  return result;
}

Axis whole(const Axis& axis) { return {axis.extent, axis.extent, std::vector<int32_t>(axis.first.size(), 0)}; }

// A value that depends on the candidates: [N,H,W,C] of the images as they are, and what changes of it.
struct Window {
  Value images;
  Value windows;  // [N*M,h,w,C]
  Axis rows, columns;
};

class Localiser {
 public:
  Localiser(Value images, Value values, Value candidates) : graph_(images.graph()) {
    const Shape& shape = images.shape();
    const auto every = [](int64_t extent) {
      Axis axis{extent, 1, {}};
      for (int64_t i = 0; i < extent; ++i) {
        axis.first.push_back(static_cast<int32_t>(i));
      }
      return axis;
    };
    const Value pixel = reshape(values, {candidates.shape()[0], 1, 1, shape[3]});
    windows_[candidates.id()] = {images, pixel, every(shape[1]), every(shape[2])};
  }

  LocalGraph run(Value output) {
    const size_t recorded = graph_.nodes().size();
    for (size_t i = 0; i < recorded; ++i) {
      const Node node = graph_.nodes()[i];  // a copy: recording moves nodes
      if (!std::any_of(node.inputs.begin(), node.inputs.end(), [&](int id) { return depends(id); })) {
        continue;
      }
      Restore scope(graph_.scope, node.scope);
      if (!localise(node)) {
        std::vector<Value> inputs;
        for (int id : node.inputs) {
          inputs.push_back(full(id));
        }
        const std::vector<Value> results = graph_.apply(node.operation, inputs);
        for (size_t o = 0; o < results.size(); ++o) {
          full_[node.outputs[o]] = results[o];
        }
      }
    }
    const Value result = full(output.id());
    return {result, std::move(places_)};
  }

 private:
  bool is_window(int id) const { return windows_.count(id) != 0 && full_.count(id) == 0; }
  bool depends(int id) const { return windows_.count(id) != 0 || full_.count(id) != 0; }

  // The value with all of every map.
  Value full(int id) {
    if (const auto found = full_.find(id); found != full_.end()) {
      return found->second;
    }
    const auto window = windows_.find(id);
    if (window == windows_.end()) {
      return {&graph_, id};
    }
    const Window& w = window->second;
    return full_[id] = patched(w, whole(w.rows), whole(w.columns));
  }

  // Pieces of the changed maps.
  Value patched(const Window& w, const Axis& rows, const Axis& columns) {
    return patch_windows(w.images, w.windows, places(w.rows, w.columns), places(rows, columns), rows.size,
                         columns.size);
  }

  Value places(const Axis& rows, const Axis& columns) {
    for (const WindowPlaces& known : places_) {
      if (known.rows == rows.first && known.columns == columns.first) {
        return known.input;
      }
    }
    const int64_t candidates = windows_.begin()->second.windows.shape()[0];
    const std::string name = "window_places." + std::to_string(places_.size());
    places_.push_back({graph_.input(name, DType::i32, {candidates, 2}), rows.first, columns.first});
    return places_.back().input;
  }

  // Records what `node` makes of windows; false when they would be nearly the map, or it takes all of a map.
  bool localise(const Node& node) {
    static const std::set<std::string> by_pixel{
        "batch_norm_inference", "relu",          "relu6", "silu", "sigmoid", "tanh", "scale", "clamp",
        "replicate_channels",   "slice_channels"};
    const std::string name = node.operation->name();
    const bool others_depend =
        std::any_of(node.inputs.begin() + 1, node.inputs.end(), [&](int id) { return depends(id); });
    if (name == "add" || name == "concat") {
      return join(node);
    }
    if (others_depend || !is_window(node.inputs[0])) {
      return false;
    }
    const Window x = windows_.at(node.inputs[0]);
    if (by_pixel.count(name) != 0) {
      windows_[node.outputs[0]] = {again(node, x.images), again(node, x.windows), x.rows, x.columns};
      return true;
    }
    if (name == "conv2d" || name == "depthwise_conv2d" || name == "max_pool" || name == "average_pool") {
      return slide(node, name, x);
    }
    return false;
  }

  // The node's operation on another first input.
  Value again(const Node& node, Value x) {
    std::vector<Value> inputs{x};
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      inputs.push_back({&graph_, node.inputs[i]});
    }
    return graph_.apply(node.operation, inputs).front();
  }

  // A kernel that slides over the maps.
  bool slide(const Node& node, const std::string& name, const Window& x) {
    const Attributes attributes = node.operation->attributes();
    const auto attribute = [&](const char* key) { return static_cast<int64_t>(attributes.at(key)); };
    const int64_t stride = attribute("stride"), top = attribute("top"), left = attribute("left");
    const Shape out = graph_.values()[static_cast<size_t>(node.outputs[0])].type.shape;
    const Value weight = node.inputs.size() > 1 ? Value(&graph_, node.inputs[1]) : Value();
    const bool pools = !weight.valid();
    if (pools && (top != 0 || left != 0 || attribute("bottom") != 0 || attribute("right") != 0)) {
      return false;  // padding is no zero to a maximum
    }
    const int first = name == "conv2d" ? 1 : 0;
    const int64_t kernel_rows = pools ? attribute("kernel") : weight.shape()[first];
    const int64_t kernel_columns = pools ? attribute("kernel") : weight.shape()[first + 1];
    const Axis rows = reached(x.rows, kernel_rows, stride, top, out[1]);
    const Axis columns = reached(x.columns, kernel_columns, stride, left, out[2]);
    if (!is_small(rows, columns)) {
      return false;
    }
    const bool same = kernel_rows == 1 && kernel_columns == 1 && stride == 1 && top == 0 && left == 0;
    const Value pieces =
        same ? x.windows
             : patched(x, read_by(rows, kernel_rows, stride, top), read_by(columns, kernel_columns, stride, left));
    windows_[node.outputs[0]] = {again(node, x.images), slid(node, name, pieces, stride), rows, columns};
    return true;
  }

  // The kernel over pieces that hold their padding already.
  Value slid(const Node& node, const std::string& name, Value pieces, int64_t stride) {
    const std::optional<Value> bias =
        node.inputs.size() > 2 ? std::optional(Value(&graph_, node.inputs[2])) : std::nullopt;
    const Conv2dParams params{stride, {}};
    if (name == "conv2d") {
      return conv2d(pieces, {&graph_, node.inputs[1]}, bias, params);
    }
    if (name == "depthwise_conv2d") {
      return depthwise_conv2d(pieces, {&graph_, node.inputs[1]}, bias, params);
    }
    return again(node, pieces);
  }

  static bool is_small(const Axis& rows, const Axis& columns) {
    constexpr double most = 0.7;  // of a map: beyond, cutting pieces out costs more than is saved
    return static_cast<double>(rows.size * columns.size) <= most * static_cast<double>(rows.extent * columns.extent);
  }

  // A sum or a concatenation: its windows are those of the input with the largest ones.
  bool join(const Node& node) {
    const auto size = [&](int id) { return windows_.at(id).rows.size * windows_.at(id).columns.size; };
    if (!std::all_of(node.inputs.begin(), node.inputs.end(), [&](int id) { return is_window(id); })) {
      return false;
    }
    const int largest =
        *std::max_element(node.inputs.begin(), node.inputs.end(), [&](int a, int b) { return size(a) < size(b); });
    const Axis rows = windows_.at(largest).rows, columns = windows_.at(largest).columns;
    std::vector<Value> images, windows;
    for (int id : node.inputs) {
      const Window& x = windows_.at(id);
      if (!rows.holds(x.rows) || !columns.holds(x.columns)) {
        return false;
      }
      images.push_back(x.images);
      windows.push_back(x.rows.first == rows.first && x.columns.first == columns.first && size(id) == size(largest)
                            ? x.windows
                            : patched(x, rows, columns));
    }
    windows_[node.outputs[0]] = {graph_.apply(node.operation, images).front(),
                                 graph_.apply(node.operation, windows).front(), rows, columns};
    return true;
  }

  Graph& graph_;
  std::map<int, Window> windows_;
  std::map<int, Value> full_;
  std::vector<WindowPlaces> places_;
};

}  // namespace

LocalGraph recompute_locally(Value images, Value values, Value candidates, Value output) {
  return Localiser(images, values, candidates).run(output);
}

}  // namespace fer
