// Faces: what the network made of them, and what attacks did to them.
#include <algorithm>
#include <cmath>

#include "analysis/format.h"
#include "analysis/html.h"
#include "analysis/report_parts.h"
#include "tensor/error.h"

namespace fer::report {

using namespace format;
using html::escape;

namespace {

// How far an attack moved the pixels, and how the difference is drawn.
struct Perturbation {
  Tensor picture;       // u8, grey 128 where nothing changed
  double factor = 1;    // amplification of the picture
  double largest = 0;   // change of one value, of [0,1]
  int64_t changed = 0;  // pixels with any change
  int64_t pixels = 0;
};

uint8_t to_byte(double value) { return static_cast<uint8_t>(std::lround(255 * std::clamp(value, 0.0, 1.0))); }

Tensor to_bytes(const Tensor& pixels) {
  Tensor result(DType::u8, pixels.shape());
  std::transform(pixels.data<float>(), pixels.data<float>() + pixels.size(), result.data<uint8_t>(), to_byte);
  return result;
}

// The round number at or below `value`, from 1, 2, 5, 10, 20, 50, …
double round_factor(double value) {
  if (value < 2) {
    return 1;
  }
  const double power = std::pow(10, std::floor(std::log10(value)));
  return power * (value / power >= 5 ? 5 : value / power >= 2 ? 2 : 1);
}

Perturbation perturbation(const AttackPanel& panel) {
  const Shape& shape = panel.clean.shape();
  if (shape != panel.attacked.shape() || shape.rank() != 3) {
    fail("report: attack panel '", panel.attack, "' has a clean image ", shape, " and an attacked one ",
         panel.attacked.shape(), "; both must be [H,W,C] of one size");
  }
  const float* clean = panel.clean.data<float>();
  const float* attacked = panel.attacked.data<float>();
  const int64_t channels = shape[2];
  Perturbation result{.picture = Tensor(DType::u8, shape), .pixels = shape[0] * shape[1]};
  for (int64_t i = 0; i < result.pixels; ++i) {
    double most = 0;
    for (int64_t c = 0; c < channels; ++c) {
      most = std::max(most, std::abs(static_cast<double>(attacked[i * channels + c]) - clean[i * channels + c]));
    }
    result.changed += most > 0;
    result.largest = std::max(result.largest, most);
  }
  result.factor = result.largest > 0 ? round_factor(0.5 / result.largest) : 1;
  for (int64_t i = 0; i < shape.size(); ++i) {
    result.picture.data<uint8_t>()[i] = to_byte(0.5 + result.factor * (static_cast<double>(attacked[i]) - clean[i]));
  }
  return result;
}

// The predicted class with its mark, and under it the confidence.
std::string verdict(const std::string& prediction, const std::string& label, const std::string& detail) {
  const bool right = prediction == label;
  return std::string("<span class=\"verdict ") + (right ? "right" : "wrong") + "\">" + html::mark(right) + "<b>" +
         escape(prediction) + "</b></span><span class=\"detail\">" + escape(detail) + "</span>";
}

std::string sample_figure(const SamplePrediction& sample) {
  const bool right = sample.prediction == sample.label;
  const std::string detail = percent(sample.confidence) + (right ? "" : ", labelled " + sample.label);
  return std::string("<figure class=\"face ") + (right ? "right" : "wrong") + "\">" +
         html::image(sample.image, std::string(right ? "right" : "wrong") + ": face labelled " + sample.label +
                                       ", predicted " + sample.prediction) +
         "<figcaption>" + verdict(sample.prediction, sample.label, detail) + "</figcaption></figure>";
}

std::string step(const std::string& title, const std::string& image, const std::string& below) {
  return "<figure><figcaption>" + title + "</figcaption>" + image + "<div class=\"below\">" + below + "</div></figure>";
}

std::string panel_html(const AttackPanel& panel) {
  const Perturbation change = perturbation(panel);
  const bool fooled = panel.clean_prediction == panel.label && panel.attacked_prediction != panel.label;
  const std::string extent = change.changed == change.pixels
                                 ? "every pixel changed"
                                 : grouped(change.changed) + " of " + grouped(change.pixels) + " pixels changed";
  const std::string amount = "by at most " + eps_text(change.largest);
  std::string text = "<article class=\"panel\"><header><b>" + escape(panel.attack) + "</b><span>labelled " +
                     escape(panel.label) + (fooled ? " · attack succeeded" : " · attack did not succeed") +
                     "</span></header><div class=\"steps\">";
  text += step("Clean", html::image(to_bytes(panel.clean), "clean face labelled " + panel.label),
               verdict(panel.clean_prediction, panel.label, percent(panel.clean_confidence)));
  text += step("Change ×" + compact(change.factor),
               html::image(change.picture, "perturbation, amplified " + compact(change.factor) + " times"),
               "<small>" + extent + (change.changed > 0 ? "<br>" + amount : "") + "</small>");
  text += step("Attacked", html::image(to_bytes(panel.attacked), "attacked face labelled " + panel.label),
               verdict(panel.attacked_prediction, panel.label, percent(panel.attacked_confidence)));
  return text + "</div></article>";
}

}  // namespace

std::string gallery(const RunReport& run) {
  if (run.samples.empty()) {
    return "";
  }
  std::string faces;
  int64_t right = 0;
  for (const SamplePrediction& sample : run.samples) {
    right += sample.prediction == sample.label;
    faces += sample_figure(sample);
  }
  return section("Faces and predictions",
                 "The predicted class with the network's confidence under each face; a cross and a broken frame mark "
                 "the wrong ones. " +
                     grouped(right) + " of the " + grouped(static_cast<int64_t>(run.samples.size())) +
                     " shown are right.",
                 "<div class=\"gallery\">" + faces + "</div>");
}

std::string attack_panels(const RunReport& run) {
  if (run.panels.empty()) {
    return "";
  }
  std::string panels;
  for (const AttackPanel& panel : run.panels) {
    panels += panel_html(panel);
  }
  return section(
      "Attacks on single faces",
      "The middle picture is the perturbation, multiplied by the factor above it and centred on grey: grey is no "
      "change, lighter is brighter, darker is dimmer. Sizes are on the scale from black, 0, to white, 1.",
      "<div class=\"panels\">" + panels + "</div>");
}

}  // namespace fer::report
