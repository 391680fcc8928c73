// Every network of goldens/models against PyTorch: parameters by the fill formula, logits, loss, every gradient.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "autograd/executor.h"
#include "layers/weights.h"
#include "models/model.h"
#include "tensor/file.h"
#include "tests/cases/run_case.h"
#include "tests/golden.h"

namespace fer::test {

namespace {

// make_goldens.py's fill_model: every parameter and buffer from its name, in PyTorch's order of elements.
Tensor filled(const std::string& name, const Shape& torch_shape, bool batch_norm) {
  const std::string leaf = name.substr(name.rfind('.') + 1);
  const std::string owner = name.substr(0, name.rfind('.'));
  const std::vector<double> u = uniform(name, torch_shape.size());
  double fan = 1;
  for (int axis = 1; axis < torch_shape.rank(); ++axis) {
    fan *= static_cast<double>(torch_shape[axis]);
  }
  const bool theta = owner == "theta" || (owner.size() > 6 && owner.substr(owner.size() - 6) == ".theta");
  Tensor result(DType::f32, torch_shape);
  for (size_t i = 0; i < u.size(); ++i) {
    double value = u[i] * std::sqrt(6 / fan);
    if (batch_norm) {
      value = leaf == "weight" ? 1 + 0.1 * u[i] : leaf == "running_var" ? 1 + 0.2 * std::abs(u[i]) : 0.1 * u[i];
    } else if (theta) {
      value = leaf == "bias" ? 0.1 * u[i] + (i % 4 == 0 ? 1.0 : 0.0) : 0.1 * value;
    } else if (leaf == "bias") {
      value = 0.1 * u[i];
    }
    result.data<float>()[i] = static_cast<float>(value);
  }
  return result;
}

double distance(const std::vector<double>& expected, const float* actual) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(expected[i] - static_cast<double>(actual[i]), 2);
    norm += expected[i] * expected[i];
  }
  return std::sqrt(difference / norm);
}

std::vector<double> flattened(const nlohmann::json& rows) {
  std::vector<double> all;
  for (const auto& row : rows) {
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

class GoldenModel {
 public:
  explicit GoldenModel(const nlohmann::json& golden) : golden_(golden), variables_(std::make_shared<Variables>(0)) {
    const auto shape = golden["input"]["shape_nchw"].get<std::vector<int64_t>>();
    batch_ = shape[0];
    options_.channels = shape[1];
    options_.size = shape[2];
    options_.classes = static_cast<int64_t>(golden["eval_logits"][0].size());
    options_.dropout = 0;
    options_.drop_path = 0;
    options_.normalisation = Normalisation::none;
    const std::vector<double> u = uniform(golden["input"]["name"], Shape(shape).size());
    Tensor nchw(DType::f32, Shape(shape));
    std::transform(u.begin(), u.end(), nchw.data<float>(), [](double x) { return static_cast<float>((x + 1) / 2); });
    input_ = to_nhwc(nchw);
    labels_ = Tensor(DType::i32, {batch_});
    for (int64_t i = 0; i < batch_; ++i) {
      labels_.data<int32_t>()[i] = golden["label"][static_cast<size_t>(i)];
    }
    fill();
  }

  void check() {
    check_evaluation();
    check_training();
  }

 private:
  const std::string name() const { return golden_["model"]; }
  double allowed(const char* what) const { return 3 * golden_["pytorch_float32_error"][what].get<double>() + 1e-5; }

  void fill() {
    Graph graph;
    make_model(name(), graph, options_);
    std::set<std::string> ours;
    for (Value value : graph.variables()) {
      const ValueRecord& record = graph.values()[static_cast<size_t>(value.id())];
      ours.insert(record.name);
      REQUIRE_MESSAGE(golden_["state"].contains(record.name), "PyTorch has no ", record.name);
      const Shape torch_shape(golden_["state"][record.name].get<std::vector<int64_t>>());
      const std::string owner = record.name.substr(0, record.name.rfind('.'));
      const Tensor value_in_torch =
          filled(record.name, torch_shape, golden_["state"].contains(owner + ".running_mean"));
      variables_->set(record.name, from_torch_layout(record.name, value_in_torch, record.type.shape));
    }
    CHECK(ours.size() == golden_["state"].size());
  }

  void check_evaluation() {
    Graph graph;
    const Value x = graph.input("x", DType::f32, input_.shape());
    const Value logits = make_model(name(), graph, options_)->forward(x, Mode::evaluation);
    Executor executor(make_plan(graph, std::vector{logits}), Device::cpu, variables_);
    executor.feed(x, input_.view()).run({});
    const double error = distance(flattened(golden_["eval_logits"]), executor.read(logits).as<const float>().data);
    MESSAGE(name(), ": evaluation logits ", error);
    CHECK(error <= 1e-5);
  }

  void check_training() {
    Graph graph;
    const Value x = graph.input("x", DType::f32, input_.shape());
    const Value labels = graph.input("labels", DType::i32, {batch_});
    const Value logits = make_model(name(), graph, options_)->forward(x, Mode::training);
    const Value loss = cross_entropy(logits, labels);
    const std::vector<Value> parameters = graph.trainable();
    std::vector<Value> outputs = gradients(loss, parameters);
    outputs.push_back(logits);
    outputs.push_back(loss);
    Executor executor(make_plan(graph, outputs), Device::cpu, variables_);
    executor.feed(x, input_.view()).feed(labels, labels_.view()).run({});

    const double logits_error =
        distance(flattened(golden_["train_logits"]), executor.read(logits).as<const float>().data);
    const double loss_error =
        std::abs(static_cast<double>(executor.scalar<float>(loss)) / golden_["train_loss"].get<double>() - 1);
    CHECK(logits_error <= allowed("train_logits"));
    CHECK(loss_error <= allowed("train_loss"));
    double worst = 0;
    for (size_t i = 0; i < parameters.size(); ++i) {
      worst = std::max(worst, gradient_error(graph.values()[static_cast<size_t>(parameters[i].id())].name,
                                             Tensor(executor.read(outputs[i]), nullptr)));
    }
    MESSAGE(name(), ": training logits ", logits_error, ", loss ", loss_error, ", worst gradient ", worst, " of ",
            allowed("gradient"));
    for (const auto& [buffer, sum] : golden_["sum_of_running_stats_after_one_training_forward"].items()) {
      double ours = 0, magnitude = 0;
      for (float element : variables_->at(buffer).as<const float>()) {
        ours += static_cast<double>(element);
        magnitude += std::abs(static_cast<double>(element));
      }
      INFO(buffer);
      CHECK(std::abs(ours - sum.get<double>()) <= allowed("train_logits") * magnitude);
    }
  }

  // How far the norm and the projection are off, relative to the norm. A bias in front of a batch-norm has no gradient
  // in exact arithmetic; what float32 leaves there (ours, and in the goldens PyTorch's, for vectors) is rounding noise,
  // which has to stay below a millionth of the largest gradient.
  double gradient_error(const std::string& parameter, const Tensor& gradient) {
    const auto& expected = golden_["gradients"].at(parameter);
    double largest = 0;
    for (const auto& [name, one] : golden_["gradients"].items()) {
      largest = std::max(largest, one["norm"].get<double>());
    }
    const double noise = 1e-6 * largest;
    if (expected["zero"].get<bool>() || expected["norm"].get<double>() < noise) {
      double norm = 0;
      for (float element : gradient.as<const float>()) {
        norm += static_cast<double>(element) * static_cast<double>(element);
      }
      INFO(name(), ": gradient of ", parameter, " should vanish, is ", std::sqrt(norm));
      CHECK(std::sqrt(norm) <= noise);
      return 0;
    }
    const Tensor torch = to_torch_layout(gradient);
    const std::vector<double> u = uniform(parameter + ".check", torch.size());
    double norm = 0, dot = 0;
    for (size_t i = 0; i < u.size(); ++i) {
      const auto g = static_cast<double>(torch.data<float>()[i]);
      norm += g * g;
      dot += g * u[i];
    }
    const double scale = expected["norm"];
    const double error =
        std::max(std::abs(std::sqrt(norm) - scale), std::abs(dot - expected["dot_u"].get<double>())) / scale;
    INFO(name(), ": gradient of ", parameter, " is ", error, " off");
    CHECK(error <= allowed("gradient"));
    return error;
  }

  const nlohmann::json& golden_;
  ModelOptions options_;
  int64_t batch_ = 0;
  Tensor input_, labels_;
  std::shared_ptr<Variables> variables_;
};

}  // namespace

TEST_CASE("golden models agree with PyTorch") {
  int checked = 0;
  for (const auto& entry : std::filesystem::directory_iterator(goldens() / "models")) {
    if (entry.path().extension() != ".json") {
      continue;
    }
    const nlohmann::json golden = nlohmann::json::parse(read_file(entry.path()));
    const std::string name = golden["model"];
    if (std::none_of(models().begin(), models().end(), [&](const ModelEntry& one) { return one.name == name; })) {
      MESSAGE("skipped: there is no model ", name, " yet");
      continue;
    }
    CAPTURE(name);
    GoldenModel(golden).check();
    ++checked;
  }
  CHECK(checked > 0);
}

}  // namespace fer::test
