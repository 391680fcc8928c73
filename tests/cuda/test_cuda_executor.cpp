// Device cuda: whole graphs on the emulated GPU, and on a real one where it was asked for, against the CPU.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "models/saved_model.h"
#include "tests/cases/run_case.h"
#include "tests/cuda/emulated_gpu.h"
#include "tests/small_data.h"
#include "train/step.h"

namespace fer::test {

namespace {

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.view().data, b.view().data, static_cast<size_t>(a.bytes())) == 0;
}

// Each case in f32 on device cuda against the CPU in double; and its plan with fences, where nothing shares bytes, to
// the bit.
void check_case(const Case& one) {
  CAPTURE(one.name);
  RecordedCase exact(one, DType::f64, one.gradient_check), single(one, DType::f32, one.gradient_check);
  const auto expected = exact.run(exact.inputs(), {}, Device::cpu);
  PlanOptions fences;
  fences.guard = true;
  std::vector<Tensor> actual, fenced;
  const std::string fault = error_of([&] {
    actual = single.run(single.inputs(), {}, Device::cuda);
    fenced = single.run(single.inputs(), fences, Device::cuda);
  });
  REQUIRE_MESSAGE(fault.empty(), fault);
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = relative_difference(actual[i], expected[i]);
    INFO("output ", i, " differs by ", difference, ", allowed ", one.tolerance);
    CHECK(difference <= one.tolerance);
    CHECK(same_bits(actual[i], fenced[i]));
  }
}

struct Trained {
  std::vector<double> losses;
  std::vector<float> probabilities;  // of the training images, by the running statistics
  std::map<std::string, Tensor> variables;
};

struct Training {
  std::string model;
  int64_t size, batch;
  std::string optimizer;
  double rate;
  Mode mode = Mode::training;
};

Trained train(const Training& training, Device device, int steps, const PlanOptions& plan = {}) {
  TrainOptions options;
  options.batch = training.batch;
  options.augment = "strong";
  options.label_smoothing = 0.1;
  options.optimizer = training.optimizer;
  const Network network = make_network(training.model, {.size = training.size, .dropout = 0.2}, 3, device);
  const TrainingData data = small_data(training.batch + 1, training.size);
  TrainingStep step(options, network, find_model(training.model).head, data, plan);
  std::vector<int32_t> indices(static_cast<size_t>(training.batch));
  std::iota(indices.begin(), indices.end(), 1);
  Trained result;
  for (int i = 0; i < steps; ++i) {
    result.losses.push_back(step.run(indices, training.rate / (i + 1), {5, static_cast<uint64_t>(i)}).loss);
  }
  Classifier classifier(network, {training.size, training.size, 1}, DType::u8, training.batch);
  result.probabilities = classifier.probabilities(data.images);
  for (const auto& [name, tensor] : network.variables->all()) {
    result.variables[name] = tensor.clone();
  }
  return result;
}

// Steps of a network in one type on one device: what they give, all as f64.
struct Stepped {
  std::map<std::string, Tensor> outputs;    // the last step's loss and logits
  std::map<std::string, Tensor> variables;  // weights, statistics, moments
};

Stepped run_steps(const Training& training, DType dtype, Device device, int steps,
                  const std::map<std::string, Tensor>& first, const PlanOptions& plan = {}) {
  Graph graph;
  const TrainingData data = small_data(training.batch, training.size);
  const Value pixels = graph.input("pixels", DType::u8, data.images.shape());
  const Value labels = graph.input("labels", DType::i32, {training.batch});
  const Value rate = graph.input("rate", dtype, {});
  const ModelOptions options{.classes = 7, .size = training.size, .dtype = dtype};
  const Value x = augment(decode(pixels, dtype), augmentation("strong"));
  const Value logits = make_model(training.model, graph, options)->forward(x, training.mode);
  const Value loss = cross_entropy(logits, labels, {.label_smoothing = 0.1});
  const std::vector<Value> parameters = graph.trainable();
  const Value update =
      optimizer_step({.kind = parse_optimizer(training.optimizer)}, rate, parameters, gradients(loss, parameters));
  auto variables = std::make_shared<Variables>(3);
  for (const auto& [name, tensor] : first) {
    variables->set(name, tensor.converted(dtype));
  }
  Executor executor = make_executor(graph, std::vector{loss, logits, update}, variables, device, plan);
  const Tensor learning_rate = Tensor::from({}, &training.rate).converted(dtype);
  for (int i = 0; i < steps; ++i) {
    executor.feed(rate, learning_rate.view()).feed(labels, data.labels.view()).feed(pixels, data.images.view());
    executor.run({5, static_cast<uint64_t>(i)});
  }
  Stepped result;
  result.outputs["loss"] = Tensor(executor.read(loss), nullptr).converted(DType::f64);
  result.outputs["logits"] = Tensor(executor.read(logits), nullptr).converted(DType::f64);
  for (const auto& [name, tensor] : variables->all()) {
    result.variables[name] = tensor.converted(DType::f64);
  }
  return result;
}

double mean_difference(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    sum += std::abs(a.data<double>()[i] - b.data<double>()[i]);
  }
  return sum / static_cast<double>(std::max<int64_t>(a.size(), 1));
}

double largest(const Tensor& tensor) {
  double most = 0;
  for (double element : tensor.as<const double>()) {
    most = std::max(most, std::abs(element));
  }
  return most;
}

// The network's own, without the optimizer's.
std::map<std::string, Tensor> first_variables(const Training& training) {
  auto variables = run_steps(training, DType::f32, Device::cpu, 0, {}).variables;
  std::erase_if(variables, [](const auto& entry) { return entry.first.starts_with("optimizer."); });
  return variables;
}

// Against the same steps in double: the GPU may be no further off than a few times the CPU in float. (Absolute bounds
// would say little: where rounding is all there is of a gradient, such as that of a bias before a batch-norm, both are
// far off.) One in ten of Adam's first steps, which are of one length, may go the other way for that reason.
void check_steps(const Training& training, int steps) {
  CAPTURE(training.model);
  CAPTURE(training.optimizer);
  const auto first = first_variables(training);
  const Stepped exact = run_steps(training, DType::f64, Device::cpu, steps, first);
  const Stepped cpu = run_steps(training, DType::f32, Device::cpu, steps, first);
  const Stepped gpu = run_steps(training, DType::f32, Device::cuda, steps, first);
  const double other_way = training.optimizer == "adam" ? 0.2 * training.rate * steps : 0;
  for (const auto group : {&Stepped::outputs, &Stepped::variables}) {
    for (const auto& entry : exact.*group) {
      const std::string& name = entry.first;
      const Tensor& expected = entry.second;
      const double ours = mean_difference((gpu.*group).at(name), expected);
      double theirs = mean_difference((cpu.*group).at(name), expected);
      if (name == "loss") {  // one number may be right by chance; it follows from the logits
        theirs = std::max(theirs, mean_difference(cpu.outputs.at("logits"), exact.outputs.at("logits")));
      }
      INFO(name, " is off by ", ours, " on the GPU, by ", theirs, " on the CPU");
      CHECK(ours <= 4 * theirs + 1e-5 * largest(expected) + other_way);
    }
  }
}

const Training trainings[] = {{"cnn_2block", 16, 2, "sgd", 1e-2},
                              {"cnn_2block", 16, 2, "adam", 1e-3},
                              {"mobilenet_v2", 64, 2, "sgd", 1e-3},
                              {"mobilenet_v2", 64, 2, "adam", 1e-4}};

// One step with activations in bf16 against one in f32. The variables' change, which by plain gradient descent is the
// gradient, differs by more than bf16's eight bits: a hundredth of the ReLUs fall on the other side. Nothing depends on
// where values lie.
void check_half_precision(const Training& training) {
  CAPTURE(training.model);
  PlanOptions half, unshared, limited;
  half.kernels.precision = unshared.kernels.precision = limited.kernels.precision = Precision::bf16;
  unshared.share = false;
  limited.memory_limit = 1;
  const auto before = first_variables(training);
  const Stepped exact = run_steps(training, DType::f32, Device::cuda, 1, before);
  const Stepped halved = run_steps(training, DType::f32, Device::cuda, 1, before, half);
  const Stepped again = run_steps(training, DType::f32, Device::cuda, 1, before, unshared);
  const Stepped tight = run_steps(training, DType::f32, Device::cuda, 1, before, limited);
  const double logits = relative_difference(halved.outputs.at("logits"), exact.outputs.at("logits"));
  INFO("logits differ by ", logits);
  CHECK(logits < 0.05);
  CHECK(logits > 1e-5);  // bf16 it was
  double moved = 0, apart = 0;
  for (const auto& [name, first] : before) {
    const Tensor& tensor = exact.variables.at(name);
    CHECK(same_bits(halved.variables.at(name), again.variables.at(name)));
    CHECK(same_bits(halved.variables.at(name), tight.variables.at(name)));
    for (int64_t i = 0; i < tensor.size(); ++i) {
      const double start = first.data<double>()[i], end = tensor.data<double>()[i];
      const double other = halved.variables.at(name).data<double>()[i];
      moved += (end - start) * (end - start);
      apart += (end - other) * (end - other);
    }
  }
  INFO("updates differ by ", std::sqrt(apart / moved));
  CHECK(apart < 0.5 * 0.5 * moved);
}

// What no operation may be: one that answers with the CPU's kernel whatever it is asked for.
class LeftOut : public Operation {
 public:
  std::string name() const override { return "left_out"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override { return {inputs[0]}; }
  Kernel prepare(std::span<const ValueType>, std::span<const ValueType>, const PrepareOptions&) const override {
    return {[](const StepContext*, auto, auto, std::byte*) {}};
  }
};

}  // namespace

TEST_CASE("cuda executor: every case agrees with the CPU, on the emulated GPU") {
  const EmulatedGpu emulated;
  for (const Case& one : cases()) {
    check_case(one);
  }
}

TEST_CASE("cuda executor: steps of whole networks are as exact as the CPU's, on the emulated GPU") {
  for (const Training& training : trainings) {
    const EmulatedGpu emulated;
    check_steps(training, 2);
    CHECK(emulated.gpu->replays() > 0);
    CHECK(emulated.is_empty());
  }
}

TEST_CASE("cuda executor: steps in bf16 stay near those in f32, on the emulated GPU") {
  // Batch statistics of few pixels make much of little: deep networks are compared without them.
  for (const Training& training :
       {Training{"cnn_2block", 16, 8, "sgd", 1e-2}, Training{"mobilenet_v2", 64, 2, "sgd", 1e-3, Mode::evaluation},
        Training{"efficientnet_b0", 64, 2, "sgd", 1e-3, Mode::evaluation},
        Training{"densenet121", 32, 2, "sgd", 1e-3, Mode::evaluation},
        Training{"stn_resnet50", 32, 2, "sgd", 1e-3, Mode::evaluation}}) {
    const EmulatedGpu emulated;
    check_half_precision(training);
    CHECK(emulated.is_empty());
  }
}

TEST_CASE("cuda executor: training from resident data, and the classifier it gives, agree with the CPU") {
  const EmulatedGpu emulated;
  const Trained cpu = train(trainings[0], Device::cpu, 3), gpu = train(trainings[0], Device::cuda, 3);
  for (size_t i = 0; i < cpu.losses.size(); ++i) {
    CHECK(gpu.losses[i] == doctest::Approx(cpu.losses[i]).epsilon(1e-4));
  }
  for (size_t i = 0; i < cpu.probabilities.size(); ++i) {
    CHECK(gpu.probabilities[i] == doctest::Approx(cpu.probabilities[i]).epsilon(1e-3));
  }
  CHECK(emulated.gpu->replays() > 0);
}

TEST_CASE("cuda executor: a depthwise convolution leaves the statistics of its batch-norm") {
  const EmulatedGpu emulated;
  Graph graph;
  const Shape shape{2, 9, 7, 20};
  const Value x = graph.input("x", DType::f32, shape), slope = graph.input("slope", DType::f32, shape);
  const Scope scope(graph);
  const DepthwiseConv2d convolution(scope / "conv", 20, {.padding = 1});
  const BatchNorm norm(scope / "norm", 20);
  const Value y = relu6(norm(convolution(x), Mode::training));
  std::vector<Value> outputs = gradients(sum(multiply(y, slope)), std::vector{x, graph.trainable()[0]});
  outputs.push_back(y);
  Tensor elements(DType::f32, shape), slopes(DType::f32, shape);
  RandomSequence random(Philox(7, 0));
  for (Tensor* tensor : {&elements, &slopes}) {
    for (float& element : tensor->as<float>()) {
      element = static_cast<float>(random.uniform());
    }
  }
  std::vector<Tensor> expected;
  for (bool fused : {false, true}) {
    PlanOptions options;
    options.fuse = fused;
    Executor executor = make_executor(graph, outputs, std::make_shared<Variables>(0), Device::cuda, options);
    executor.feed(x, elements.view()).feed(slope, slopes.view()).run({});
    CHECK(executor.plan().nodes()[0].operation->name() == (fused ? "depthwise_conv2d_batch_norm" : "depthwise_conv2d"));
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Tensor result = Tensor(executor.read(outputs[i]), nullptr).converted(DType::f64);
      if (fused) {
        CHECK(relative_difference(result, expected[i]) < 1e-5);
      } else {
        expected.push_back(result);
      }
    }
  }
}

TEST_CASE("cuda executor: shared memory or not, recorded or not, the same bits") {
  const EmulatedGpu emulated;
  PlanOptions unshared, fenced, limited;
  unshared.share = false;
  fenced.guard = true;       // never recorded
  limited.memory_limit = 1;  // everything that can be is made again
  const Trained planned = train(trainings[1], Device::cuda, 3);
  for (const PlanOptions& options : {unshared, fenced, limited}) {
    const Trained other = train(trainings[1], Device::cuda, 3, options);
    CHECK(other.losses == planned.losses);
    for (const auto& variable : planned.variables) {
      INFO(variable.first);
      CHECK(same_bits(other.variables.at(variable.first), variable.second));
    }
  }
}

TEST_CASE("cuda executor: a recorded run takes what was fed, bound and stepped since, until seconds are asked for") {
  const EmulatedGpu emulated;
  Graph graph;
  const Value table = graph.resident("table", DType::f32, {3, 2});
  const Value rows = graph.input("rows", DType::i32, {2});
  const Value y = scale(gather(table, rows), 2);
  const Value noise = random_uniform(graph, {DType::f32, {4}}, 0, 1);
  Executor executor = make_executor(graph, std::vector{y, noise}, std::make_shared<Variables>(0), Device::cuda);
  std::vector<float> elements{1, 2, 3, 4, 5, 6};
  executor.bind(table, {elements.data(), DType::f32, {3, 2}});
  std::vector<float> drawn;
  for (int32_t run = 0; run < 5; ++run) {
    int32_t chosen[] = {run % 3, 7};  // the second is no row: zeros
    elements[0] = static_cast<float>(run);
    executor.bind(table, {elements.data(), DType::f32, {3, 2}}).feed(rows, {chosen, DType::i32, {2}});
    std::vector<double> seconds;
    executor.run({.seed = 1, .step = static_cast<uint64_t>(run)}, run == 4 ? &seconds : nullptr);
    CHECK(emulated.gpu->replays() == std::min(run, 3));
    CHECK(seconds.size() == (run == 4 ? executor.plan().nodes().size() : 0));
    const View<const float> result = executor.read(y).as<const float>();
    CHECK(result.data[0] == 2 * elements[static_cast<size_t>(2 * chosen[0])]);
    CHECK(result.data[1] == 2 * elements[static_cast<size_t>(2 * chosen[0] + 1)]);
    CHECK(result.data[2] == 0);
    const float first = *executor.read(noise).as<const float>().data;
    CHECK(first == Philox(1, 1, static_cast<uint64_t>(run)).uniform(0));
  }
}

TEST_CASE("cuda executor: a plan that does not fit is refused, with the batch that would") {
  TrainOptions options;
  options.batch = 64;
  const auto step_of = [&](int64_t batch) {
    TrainOptions own = options;
    own.batch = batch;
    const Network network = make_network("cnn_2block", {.size = 16}, 3, Device::cuda);
    return std::make_unique<TrainingStep>(own, network, find_model("cnn_2block").head, small_data(64, 16));
  };
  constexpr int64_t bytes = 8 << 20;
  const EmulatedGpu emulated(bytes);
  const std::string refused = error_of([&] { step_of(64); });
  INFO(refused);
  CHECK(refused.find("bytes are needed (") != std::string::npos);
  REQUIRE(refused.find(" 8388608 are free on the emulated GPU; --batch ") != std::string::npos);
  const int64_t fits = std::stoll(refused.substr(refused.find("--batch ") + 8));
  CHECK(fits > 1);
  CHECK(error_of([&] { step_of(fits)->run(std::vector<int32_t>(static_cast<size_t>(fits), 0), 0, {}); }).empty());
  CHECK(error_of([&] { step_of(fits + 1); }).find("--batch " + std::to_string(fits) + " would fit") !=
        std::string::npos);
  CHECK(emulated.is_empty());
  const EmulatedGpu smaller(1 << 10);
  CHECK(error_of([&] { step_of(64); }).find("no batch would fit") != std::string::npos);
}

TEST_CASE("cuda executor: what it cannot do is said") {
  const EmulatedGpu emulated;
  Graph graph;
  const Value x = graph.input("x", DType::f64, {4}), small = graph.input("small", DType::f32, {4});
  const PlanOptions options = planned_for(Device::cuda);
  CHECK_THROWS_WITH_AS(make_plan(graph, std::vector{relu(x)}, options),
                       "relu: computes in f32 on device cuda, not f64; use device cpu", Error);
  CHECK_THROWS_WITH_AS(make_plan(graph, std::vector{graph.record(LeftOut(), {small})}, options),
                       "left_out: has no kernel for device cuda", Error);
  CHECK_THROWS_WITH_AS(
      Executor(make_plan(graph, std::vector{relu(small)}), Device::cuda, std::make_shared<Variables>(0)),
      "executor: runs on device cuda, but its plan was made for another: see planned_for", Error);
}

TEST_CASE("cuda executor: on a real GPU") {
  if (!gpu_skipped().empty()) {
    MESSAGE("skipped: " << gpu_skipped());
    return;
  }
  for (const Case& one : cases()) {
    check_case(one);
  }
  for (const Training& training : trainings) {
    check_steps(training, 5);
    check_half_precision(training);
  }
}

}  // namespace fer::test
