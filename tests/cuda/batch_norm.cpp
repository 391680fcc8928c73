#include "kernels/cuda/batch_norm.h"

#include "tests/cuda/trial.h"

namespace fer::test {

namespace {

const BatchNormParams params{1e-3, 0.2};

struct Setting {
  Shape shape;
  Activation activation = Activation::identity;
  bool residual = false, reference = false;
  double low = -1, high = 3;
  std::vector<int64_t> pieces{};  // channels of x's, if it is in pieces
  int64_t added = 0;              // channels of what is added to dx, or 0
  Activation before = Activation::identity;
};

// x, whole or in pieces.
template <class T>
struct Input {
  Input(Trial& trial, const Setting& setting) {
    for (const int64_t channels : setting.pieces.empty() ? std::vector{setting.shape[-1]} : setting.pieces) {
      const auto piece = trial.input<T>(setting.shape.with(-1, channels), setting.low, setting.high);
      host.add(piece.host);
      device.add(piece);
    }
  }
  Pieces<const double> host;
  Pieces<const T> device;
};

template <class T>
void training(Trial& trial, const Setting& setting) {
  const Shape channels{setting.shape[-1]};
  const Input<T> x(trial, setting);
  const auto residual = setting.residual ? trial.input<T>(setting.shape) : Array<T>{};
  const auto gamma = trial.input<float>(channels, 0.5, 1.5), beta = trial.input<float>(channels);
  const auto running_mean = trial.updated<float>(channels, -0.5, 0.5);
  const auto running_var = trial.updated<float>(channels, 0.5, 1.5);
  const auto mean = trial.output<float>(channels), inverse_std = trial.output<float>(channels);
  const auto y = trial.output<T>(setting.shape);
  batch_norm_training<double>(params, setting.activation, x.host, gamma.host, beta.host, residual.host,
                              running_mean.host, running_var.host, y.host, mean.host, inverse_std.host,
                              trial.host_workspace(batch_norm_workspace_bytes<double>(channels[0])));
  std::byte* const workspace = trial.workspace(cuda::batch_norm_workspace_bytes(channels[0]));
  trial.run([&](cuda::Stream s) {
    cuda::batch_norm_training<T>(params, setting.activation, x.device, gamma, beta, residual, running_mean, running_var,
                                 y, mean, inverse_std, workspace, s, 0, setting.reference);
  });
}

// With statistics that are given: running ones, or (`again`) those an earlier run left.
template <class T>
void inference(Trial& trial, const Setting& setting, bool again) {
  const Shape channels{setting.shape[-1]};
  const Input<T> x(trial, setting);
  const auto residual = setting.residual ? trial.input<T>(setting.shape) : Array<T>{};
  const auto gamma = trial.input<float>(channels, 0.5, 1.5), beta = trial.input<float>(channels);
  const auto mean = trial.input<float>(channels, -0.5, 0.5), spread = trial.input<float>(channels, 0.5, 1.5);
  const auto y = trial.output<T>(setting.shape);
  std::byte* const own = trial.host_workspace(batch_norm_workspace_bytes<double>(channels[0]));
  if (again) {
    batch_norm_again<double>(setting.activation, x.host, gamma.host, beta.host, residual.host, mean.host, spread.host,
                             y.host, own);
  } else {
    batch_norm_inference<double>(params, setting.activation, x.host, gamma.host, beta.host, residual.host, mean.host,
                                 spread.host, y.host, own);
  }
  trial.run([&](cuda::Stream s) {
    if (again) {
      cuda::batch_norm_again<T>(setting.activation, x.device, gamma, beta, residual, mean, spread, y, s,
                                setting.reference);
    } else {
      cuda::batch_norm_inference<T>(params, setting.activation, x.device, gamma, beta, residual, mean, spread, y, s,
                                    setting.reference);
    }
  });
}

// With the batch's statistics, or the running ones; dx in place of dy when asked for.
template <class T>
void backward(Trial& trial, const Setting& setting, bool batch, bool with_dx, bool with_parameters) {
  const Shape channels{setting.shape[-1]};
  const Input<T> x(trial, setting);
  const auto dy = trial.updated<T>(setting.shape);
  const auto gamma = trial.input<float>(channels, 0.5, 1.5), beta = trial.input<float>(channels);
  const auto mean = trial.input<float>(channels, 0.5, 1.5), spread = trial.input<float>(channels, 0.5, 1.5);
  const auto dgamma = with_parameters ? trial.output<float>(channels) : Array<float>{};
  const auto dbeta = with_parameters ? trial.output<float>(channels) : Array<float>{};
  const auto dx = with_dx ? dy : Array<T>{};
  const auto added = with_dx && setting.added > 0 ? trial.input<T>(setting.shape.with(-1, setting.added)) : Array<T>{};
  std::byte* const own = trial.host_workspace(batch_norm_workspace_bytes<double>(channels[0]));
  std::byte* const workspace = trial.workspace(cuda::batch_norm_workspace_bytes(channels[0]));
  if (batch) {
    batch_norm_training_backward<double>(setting.activation, setting.before, dy.host, x.host, mean.host, spread.host,
                                         gamma.host, beta.host, added.host, dx.host, dgamma.host, dbeta.host, own);
  } else {
    batch_norm_inference_backward<double>(params, setting.activation, setting.before, dy.host, x.host, gamma.host,
                                          beta.host, mean.host, spread.host, added.host, dx.host, dgamma.host,
                                          dbeta.host, own);
  }
  trial.run([&](cuda::Stream s) {
    if (batch) {
      cuda::batch_norm_training_backward<T>(setting.activation, setting.before, dy, x.device, mean, spread, gamma, beta,
                                            added, dx, dgamma, dbeta, workspace, s, setting.reference);
    } else {
      cuda::batch_norm_inference_backward<T>(params, setting.activation, setting.before, dy, x.device, gamma, beta,
                                             mean, spread, added, dx, dgamma, dbeta, workspace, s, setting.reference);
    }
  });
}

void add_all(const std::string& name, const Setting& setting) {
  add_kernel_case("batch_norm/training" + name, [=]<class T>(Trial& trial, T) { training<T>(trial, setting); });
  add_kernel_case("batch_norm/inference" + name,
                  [=]<class T>(Trial& trial, T) { inference<T>(trial, setting, false); });
  add_kernel_case("batch_norm/again" + name, [=]<class T>(Trial& trial, T) { inference<T>(trial, setting, true); });
  for (bool batch : {true, false}) {
    const std::string kind = batch ? "batch_norm/training_backward" : "batch_norm/inference_backward";
    add_kernel_case(kind + name, [=]<class T>(Trial& trial, T) { backward<T>(trial, setting, batch, true, true); });
    add_kernel_case(kind + "_only_dx" + name,
                    [=]<class T>(Trial& trial, T) { backward<T>(trial, setting, batch, true, false); });
    add_kernel_case(kind + "_only_parameters" + name,
                    [=]<class T>(Trial& trial, T) { backward<T>(trial, setting, batch, false, true); });
  }
}

}  // namespace

static const bool added = [] {
  // The last three make more than one part of the rows.
  for (const Shape& shape :
       {Shape{4, 3, 5, 7}, Shape{2, 9, 9, 2}, Shape{3, 1, 1, 129}, Shape{1, 2, 2, 128}, Shape{5, 127},
        Shape{2, 12, 11, 1}, Shape{2, 3, 3, 264}, Shape{3, 12, 13, 7}, Shape{2, 9, 9, 129}, Shape{2, 8, 9, 264}}) {
    add_all(to_string(shape), {shape});
  }
  for (Activation activation : {Activation::relu, Activation::relu6, Activation::silu, Activation::tanh}) {
    for (bool residual : {false, true}) {
      const std::string name = "_" + std::string(name_of(activation)) + (residual ? "_residual" : "");
      add_all(name + "_9", {{3, 5, 5, 9}, activation, residual});
      add_all(name + "_16", {{2, 11, 7, 16}, activation, residual});
      add_all(name + "_reference", {{2, 5, 3, 16}, activation, residual, true});
    }
  }
  // Pieces that can and cannot be read in packs; gradients that get something wider.
  add_all("_pieces", {.shape = {2, 9, 9, 88}, .activation = Activation::relu, .pieces = {40, 16, 32}, .added = 96});
  add_all("_odd_pieces", {.shape = {3, 7, 5, 19}, .activation = Activation::silu, .pieces = {8, 3, 7, 1}, .added = 22});
  add_all("_after_relu", {.shape = {2, 9, 9, 16}, .before = Activation::relu});
  add_all("_after_relu6", {.shape = {2, 9, 9, 7}, .low = -1, .high = 9, .before = Activation::relu6});
  add_all("_added", {.shape = {2, 5, 3, 16}, .added = 16});
  // A mean two hundred times the spread: x itself is rounded to 1e-5 of its spread in f32, to more than it in bf16.
  add_kernel_case("batch_norm/training_far_mean", []<class T>(Trial& trial, T) {
    trial.tolerance(1e-4, 2e-2);
    training<T>(trial, {.shape = {4, 6, 6, 5}, .low = 199, .high = 201});
  });
  return true;
}();

}  // namespace fer::test
