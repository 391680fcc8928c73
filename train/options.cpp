#include "train/options.h"

#include <charconv>
#include <functional>
#include <sstream>

#include "train/schedule.h"

namespace fer {

namespace {

// Calls visit(name, member) for every option, so that writing, reading and comparing share one list.
template <class Options, class Visit>
void each_option(Options& o, Visit&& visit) {
  visit("model", o.model);
  visit("data", o.data);
  visit("ferplus", o.ferplus);
  visit("labels", o.labels);
  visit("batch", o.batch);
  visit("size", o.size);
  visit("channels", o.channels);
  visit("dropout", o.dropout);
  visit("drop_path", o.drop_path);
  visit("batch_norm_momentum", o.batch_norm_momentum);
  visit("convention", o.convention);
  visit("normalise", o.normalise);
  visit("head", o.head);
  visit("without", o.without);
  visit("epochs", o.epochs);
  visit("lr", o.lr);
  visit("optimizer", o.optimizer);
  visit("momentum", o.momentum);
  visit("nesterov", o.nesterov);
  visit("schedule", o.schedule);
  visit("weight_decay", o.weight_decay);
  visit("label_smoothing", o.label_smoothing);
  visit("class_weights", o.class_weights);
  visit("augment", o.augment);
  visit("split", o.split);
  visit("validation", o.validation);
  visit("dedup", o.dedup);
  visit("limit", o.limit);
  visit("early_stopping", o.early_stopping);
  visit("weights", o.weights);
  visit("partial", o.partial);
  visit("freeze", o.freeze);
  visit("unfreeze_after", o.unfreeze_after);
  visit("adversarial", o.adversarial);
  visit("seed", o.seed);
  visit("threads", o.threads);
  visit("memory_limit", o.memory_limit);
}

double parse_number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail("'", text, "' is not a number");
  }
  return value;
}

void check_range(const std::string& name, double value, bool good, const std::string& wanted) {
  if (!good) {
    fail("--", name, " ", value, ": must be ", wanted);
  }
}

}  // namespace

void TrainOptions::check() const {
  check_range("batch", static_cast<double>(batch), batch >= 1, "at least 1");
  check_range("epochs", static_cast<double>(epochs), epochs >= 1, "at least 1");
  check_range("lr", lr, lr > 0, "positive");
  check_range("momentum", momentum, momentum >= 0 && momentum < 1, "in [0, 1)");
  check_range("weight-decay", weight_decay, weight_decay >= 0, "zero or positive");
  check_range("label-smoothing", label_smoothing, label_smoothing >= 0 && label_smoothing < 1, "in [0, 1)");
  check_range("dropout", dropout, dropout < 1, "below 1");
  check_range("validation", validation, validation < 1, "below 1");
  check_range("limit", static_cast<double>(limit), limit >= 0, "zero (all) or positive");
  check_range("early-stopping", static_cast<double>(early_stopping), early_stopping >= 0, "zero or positive");
  check_range("memory-limit", static_cast<double>(memory_limit), memory_limit >= 0, "zero (none) or positive");
  if (freeze != "none" && freeze != "backbone") {
    fail("--freeze '", freeze, "': must be none or backbone");
  }
  check_range("unfreeze-after", static_cast<double>(unfreeze_after), unfreeze_after >= 0 && unfreeze_after < epochs,
              "zero (never) or less than --epochs " + std::to_string(epochs));
  if (unfreeze_after > 0 && freeze != "backbone") {
    fail("--unfreeze-after ", unfreeze_after, ": nothing is frozen; it goes with --freeze backbone");
  }
  parse_optimizer(optimizer);
  augmentation(augment);
  parse_adversarial(adversarial);
  Schedule(schedule, lr, 1);
}

nlohmann::json to_json(const TrainOptions& options) {
  nlohmann::json json;
  each_option(options, [&](const char* name, const auto& member) { json[name] = member; });
  return json;
}

TrainOptions train_options_from_json(const nlohmann::json& json) {
  TrainOptions options;
  nlohmann::json rest = json;
  each_option(options, [&](const char* name, auto& member) {
    if (json.contains(name)) {
      try {
        json.at(name).get_to(member);
      } catch (const nlohmann::json::exception&) {
        fail("options: '", name, "' cannot be ", json.at(name).dump());
      }
      rest.erase(name);
    }
  });
  if (!rest.empty()) {
    fail("options: there is no option '", rest.begin().key(), "'");
  }
  return options;
}

AugmentParams augmentation(const std::string& name) {
  AugmentParams params;
  if (name == "none") {
    return params;
  }
  params.flip = true;
  if (name == "flip") {
    return params;
  }
  if (name == "paper") {
    params.rotation = 10;
    params.shift = 0.1;
    return params;
  }
  if (name == "strong") {
    params.rotation = 15;
    params.shift = 0.12;
    params.zoom = 0.15;
    params.shear = 8;
    params.brightness = 0.15;
    params.contrast = 0.3;
    params.erase = 0.25;
    return params;
  }
  fail("--augment '", name, "': must be none, flip, paper or strong");
}

OptimizerParams optimizer_params(const TrainOptions& options) {
  OptimizerParams params;
  params.kind = parse_optimizer(options.optimizer);
  params.momentum = options.momentum;
  params.nesterov = options.nesterov;
  params.weight_decay = options.weight_decay;
  return params;
}

double parse_eps(const std::string& text) {
  const size_t slash = text.find('/');
  double eps = 0;
  try {
    eps = slash == std::string::npos ? parse_number(text)
                                     : parse_number(text.substr(0, slash)) / parse_number(text.substr(slash + 1));
  } catch (const Error&) {
    fail("eps: '", text, "' is neither a number like 0.03 nor a fraction like 8/255");
  }
  if (!(eps >= 0 && eps <= 1)) {
    fail("eps: ", text, " is not between 0 and 1 (pixels are in [0,1])");
  }
  return eps;
}

AdversarialTraining parse_adversarial(const std::string& text) {
  AdversarialTraining result;
  if (text == "none") {
    return result;
  }
  constexpr const char* forms =
      "must be none, stored:FILE.safetensors[,ratio=R], fly:fgsm,eps=E[,ratio=R] or "
      "fly:pgd,eps=E[,steps=N][,step=S][,start=random|none][,ratio=R]";
  std::istringstream parts(text);
  std::string head, part;
  std::getline(parts, head, ',');
  const bool pgd = head == "fly:pgd";
  if (head.rfind("stored:", 0) == 0) {
    result.kind = AdversarialTraining::Kind::stored;
    result.file = head.substr(7);
  } else if (pgd || head == "fly:fgsm") {
    result.kind = AdversarialTraining::Kind::fly;
    result.ratio = 0.5;
    result.attack.eps = 0;
    result.attack.random_start = pgd;
    result.attack.steps = pgd ? result.attack.steps : 1;
  } else {
    fail("--adversarial '", text, "': ", forms);
  }
  const bool fly = result.kind == AdversarialTraining::Kind::fly;
  while (std::getline(parts, part, ',')) {
    const size_t equals = part.find('=');
    const std::string key = part.substr(0, equals), value = equals == std::string::npos ? "" : part.substr(equals + 1);
    if (key == "ratio") {
      result.ratio = parse_eps(value);
    } else if (fly && key == "eps") {
      result.attack.eps = parse_eps(value);
    } else if (pgd && key == "step") {
      result.attack.step = parse_eps(value);
    } else if (pgd && key == "steps") {
      result.attack.steps = static_cast<int64_t>(parse_number(value));
    } else if (pgd && key == "start" && (value == "random" || value == "none")) {
      result.attack.random_start = value == "random";
    } else {
      fail("--adversarial '", text, "': '", part, "' is out of place; ", forms);
    }
  }
  if (fly && result.attack.eps == 0) {
    fail("--adversarial '", text, "': eps is missing or zero; ", forms);
  }
  if (fly && !pgd) {
    result.attack.step = result.attack.eps;
  }
  if (!fly && (result.file.empty() || result.ratio == 0 || result.ratio == 1)) {
    fail("--adversarial '", text, "': needs a file, and a ratio between 0 and 1 if any; ", forms);
  }
  result.attack.check();
  return result;
}

}  // namespace fer
