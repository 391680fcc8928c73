// Softmax, cross-entropy and counting; optimizers.
#include <cstring>

#include "kernels/cross_entropy.h"
#include "kernels/cuda/cross_entropy.h"
#include "kernels/cuda/optimizer.h"
#include "tests/cuda/trial.h"

namespace fer::test {

namespace {

enum class Target { labels, bad_labels, probabilities };

struct Setting {
  CrossEntropyParams params;
  Target target = Target::labels;
  bool weighted = false;
  double low = -4, high = 4;
};

void add_loss(const std::string& name, int64_t rows, int64_t classes, const Setting& setting) {
  add_kernel_case("cross_entropy/" + name, [=]<class T>(Trial& trial, T) {
    const auto logits = trial.input<T>({rows, classes}, setting.low, setting.high);
    const bool bad = setting.target == Target::bad_labels;
    const auto labels = trial.input<int32_t>({rows}, bad ? -1 : 0, static_cast<double>(bad ? classes : classes - 1));
    const auto shares = trial.input<float>({rows, classes}, 0.1, 2), weights = trial.input<float>({classes}, 0.1, 2);
    const auto dloss = trial.input<float>({}), loss = trial.output<float>({});
    const auto dlogits = trial.output<T>({rows, classes});
    const auto target = [&](auto& labels_view, auto& shares_view, auto& weights_view) {
      const bool soft = setting.target == Target::probabilities;
      using Share = std::remove_reference_t<decltype(shares_view.data[0])>;
      return CrossEntropyTarget<Share>{soft ? nullptr : labels_view.data, soft ? shares_view.data : nullptr,
                                       setting.weighted ? weights_view.data : nullptr};
    };
    const auto own = target(labels.host, shares.host, weights.host);
    cross_entropy_forward<double>(setting.params, logits.host, own, loss.host);
    cross_entropy_backward<double>(setting.params, dloss.host, logits.host, own, dlogits.host);
    trial.run([&](cuda::Stream s) {
      const auto theirs = target(labels.device, shares.device, weights.device);
      cuda::cross_entropy_forward<T>(setting.params, logits, theirs, loss, s);
      cuda::cross_entropy_backward<T>(setting.params, dloss, logits, theirs, dlogits, s);
    });
  });
}

// Tensors of odd sizes, one of them not aligned; two steps, so that moments and the step count matter.
// The entries as a table on the device.
std::span<const cuda::OptimizerEntry> table_of(Trial& trial, const std::vector<cuda::OptimizerEntry>& entries) {
  std::vector<int64_t> words(entries.size() * sizeof(cuda::OptimizerEntry) / sizeof(int64_t));
  std::memcpy(words.data(), entries.data(), words.size() * sizeof(int64_t));
  const auto table = trial.copy_of<int64_t>({static_cast<int64_t>(words.size())}, words);
  return {reinterpret_cast<const cuda::OptimizerEntry*>(table.device.data), entries.size()};
}

void add_optimizer(const std::string& name, const OptimizerParams& params, double learning_rate) {
  for (bool reference : {false, true}) {
    add_kernel_case("optimizer/" + name + (reference ? "_reference" : ""), [=]<class T>(Trial& trial, T) {
      const std::vector<int64_t> sizes{1, 7, 128, 1030, 3};
      std::vector<cuda::OptimizerEntry> entries;
      std::vector<AnyView> parameters, gradients, first, second;
      std::vector<Array<cuda::bf16>> copies;
      for (size_t i = 0; i < sizes.size(); ++i) {
        const Shape shape{sizes[i]};
        const auto p = trial.updated<float>(shape), m = trial.updated<float>(shape);
        const auto v = trial.updated<float>(shape, 0, 1);
        const auto g = trial.input<T>(shape);
        copies.push_back(trial.output<cuda::bf16>(shape));
        cuda::OptimizerEntry entry{.parameter = p.device.data,
                                   .first_moment = keeps_first_moment(params) ? m.device.data : nullptr,
                                   .second_moment = keeps_second_moment(params) ? v.device.data : nullptr,
                                   .copy = copies.back().device.data,
                                   .size = sizes[i]};
        if constexpr (std::is_same_v<T, float>) {
          entry.gradient = g.device.data;
        } else {
          entry.half_gradient = g.device.data;
        }
        entries.push_back(entry);
        parameters.push_back({p.host.data, DType::f64, shape});
        gradients.push_back({g.host.data, DType::f64, shape});
        first.push_back({m.host.data, DType::f64, shape});
        second.push_back({v.host.data, DType::f64, shape});
      }
      const auto rate = trial.copy_of<float>({}, {static_cast<float>(learning_rate)});
      const auto state = trial.updated<double>({2}, 0, 0);
      const auto updates = {true, false, true};  // whether state advances
      for (bool advances : updates) {
        optimizer_update<double>(params, *rate.host.data, state.host, optimizer_offsets(sizes),
                                 {parameters, gradients, first, second}, advances);
      }
      for (size_t i = 0; i < sizes.size(); ++i) {
        std::copy_n(static_cast<const double*>(parameters[i].data), sizes[i], copies[i].host.data);
      }
      const int64_t packs = cuda::number_packs(entries);
      const auto on_device = table_of(trial, entries);
      std::byte* const workspace = trial.workspace(cuda::optimizer_workspace_bytes());
      trial.run([&](cuda::Stream s) {
        for (bool advances : updates) {
          cuda::optimizer_update(params, rate.device.data, state.device.data, on_device, packs, workspace, s, reference,
                                 advances);
        }
      });
    });
  }
}

void add_copies(bool reference) {
  add_kernel_case("optimizer/copies" + std::string(reference ? " by element" : ""), [=]<class T>(Trial& trial, T) {
    std::vector<cuda::OptimizerEntry> entries;
    for (int64_t size : {1, 4, 7, 0, 1030, 64}) {
      const auto p = trial.updated<float>({size});
      const auto copy = trial.output<cuda::bf16>({size});
      std::copy_n(p.host.data, size, copy.host.data);
      entries.push_back({.parameter = p.device.data, .copy = copy.device.data, .size = size});
    }
    const int64_t packs = cuda::number_packs(entries);
    const auto table = table_of(trial, entries);
    trial.run([&](cuda::Stream s) { cuda::copy_parameters(table, packs, s, reference); });
  });
}

}  // namespace

static const bool added = [] {
  add_copies(false);
  add_copies(true);
  for (int64_t classes : {1, 2, 7, 127, 128, 129}) {
    add_loss("classes_" + std::to_string(classes), 3, classes, {});
  }
  for (int64_t rows : {1, 8, 300}) {
    const std::string batch = "_batch_" + std::to_string(rows);
    add_loss("smooth" + batch, rows, 7, {{.label_smoothing = 0.1}});
    add_loss("sum" + batch, rows, 7, {{.sum = true}});
    add_loss("weighted_smooth" + batch, rows, 7, {{.label_smoothing = 0.2}, Target::labels, true});
    add_loss("weighted_sum" + batch, rows, 7, {{.sum = true}, Target::labels, true});
    add_loss("soft" + batch, rows, 7, {{}, Target::probabilities});
    add_loss("soft_weighted" + batch, rows, 7, {{.label_smoothing = 0.1}, Target::probabilities, true});
    add_loss("multi_target" + batch, rows, 7, {{.multi_target = true}, Target::probabilities});
    add_loss("bad_labels" + batch, rows, 2, {{}, Target::bad_labels});
    add_loss("bad_labels_weighted" + batch, rows, 2, {{}, Target::bad_labels, true});
  }
  add_loss("all_equal", 4, 7, {{}, Target::labels, false, 3, 3});
  add_loss("large_logits", 4, 7, {{}, Target::labels, false, 900, 904});
  for (int64_t classes : {1, 2, 7, 129}) {
    add_kernel_case("softmax/" + std::to_string(classes), [=]<class T>(Trial& trial, T) {
      const auto y = trial.updated<T>({300, classes}, -4, 4);
      softmax_forward<double>(y.host, y.host);
      trial.run([&](cuda::Stream s) { cuda::softmax_forward<T>(y, y, s); });
    });
    add_kernel_case("count_correct/" + std::to_string(classes), [=]<class T>(Trial& trial, T) {
      const auto logits = trial.input<T>({300, classes}, -4, 4);
      const auto labels = trial.input<int32_t>({300}, -1, static_cast<double>(classes));
      const auto correct = trial.output<int32_t>({});
      count_correct_labels<double>(logits.host, labels.host, correct.host);
      trial.run([&](cuda::Stream s) { cuda::count_correct_labels<T>(logits, labels, correct, s); });
    });
  }
  add_optimizer("sgd", {.kind = OptimizerKind::sgd, .weight_decay = 0.01}, 0.1);
  add_optimizer("sgd_momentum", {.kind = OptimizerKind::sgd, .momentum = 0.9}, 0.1);
  add_optimizer("sgd_nesterov", {.kind = OptimizerKind::sgd, .momentum = 0.9, .nesterov = true}, 0.1);
  add_optimizer("adam", {.kind = OptimizerKind::adam, .weight_decay = 0.01}, 1e-2);
  add_optimizer("adamw", {.kind = OptimizerKind::adamw, .weight_decay = 0.01}, 1e-2);
  add_optimizer("nadam", {.kind = OptimizerKind::nadam}, 1e-2);
  add_optimizer("radam", {.kind = OptimizerKind::radam}, 1e-2);
  add_optimizer("radam_rectified", {.kind = OptimizerKind::radam, .beta2 = 0.3}, 1e-2);
  add_optimizer("rmsprop", {.kind = OptimizerKind::rmsprop}, 1e-2);
  return true;
}();

}  // namespace fer::test
