#include "apps/distortions.h"

#include "analysis/format.h"
#include "analysis/metrics.h"
#include "data/distort.h"
#include "tensor/file.h"

namespace fer {

namespace {

constexpr int64_t scored_at_once = 64;
constexpr int64_t graded_kinds = distortion_kinds - 1;  // all but occlusion

// What a network makes of one distorted version of the images.
struct Scored {
  Distortion distortion;
  Evaluation evaluation;
  std::vector<float> probabilities;
};

std::vector<Scored> score(const Network& network, const Dataset& chosen, const std::vector<Distortion>& distortions,
                          uint64_t seed) {
  const Tensor images = unit_images(chosen);
  Classifier classifier(network, {chosen.height(), chosen.width(), chosen.channels()}, DType::f32, scored_at_once);
  std::vector<Scored> all;
  for (const Distortion& one : distortions) {
    std::vector<float> probabilities = classifier.probabilities(distort(images, one, seed));
    Evaluation evaluation =
        evaluate(chosen.classes, {chosen.labels.data<int32_t>(), static_cast<size_t>(chosen.size())}, probabilities);
    all.push_back({one, std::move(evaluation), std::move(probabilities)});
  }
  return all;
}

nlohmann::json scores_of(const Evaluation& evaluation) {
  return {{"n", evaluation.n},
          {"correct", evaluation.correct},
          {"accuracy", evaluation.accuracy},
          {"interval", {evaluation.interval.low, evaluation.interval.high}},
          {"error", 1 - evaluation.accuracy},
          {"loss", evaluation.loss}};
}

// `members` has paper 004's five kinds in order; section k of the set gets kind k.
nlohmann::json sections_of(const std::vector<const Scored*>& members, const Dataset& chosen) {
  const std::vector<int64_t> bounds = section_bounds(chosen.size(), distortion_kinds);
  const auto classes = static_cast<int64_t>(chosen.classes.size());
  nlohmann::json parts = nlohmann::json::array();
  std::vector<float> mixed;
  const auto rated = [&](int64_t begin, int64_t end, std::span<const float> probabilities) {
    return scores_of(evaluate(chosen.classes, {chosen.labels.data<int32_t>() + begin, static_cast<size_t>(end - begin)},
                              probabilities));
  };
  for (size_t k = 0; k < members.size(); ++k) {
    const auto begin = bounds[k], end = bounds[k + 1];
    const std::span rows(members[k]->probabilities.data() + begin * classes,
                         static_cast<size_t>((end - begin) * classes));
    nlohmann::json part = rated(begin, end, rows);
    part["kind"] = name_of(members[k]->distortion.kind);
    parts.push_back(part);
    mixed.insert(mixed.end(), rows.begin(), rows.end());
  }
  return {{"parts", parts}, {"overall", rated(0, chosen.size(), mixed)}};
}

// `members` and `reference` have four kinds of five severities.
nlohmann::json mce_of(const std::vector<const Scored*>& members, const std::vector<const Scored*>& reference) {
  std::vector<std::vector<double>> errors(graded_kinds), baseline(graded_kinds);
  for (size_t i = 0; i < members.size(); ++i) {
    const auto kind = static_cast<size_t>(members[i]->distortion.kind);
    errors[kind].push_back(1 - members[i]->evaluation.accuracy);
    baseline[kind].push_back(1 - reference[i]->evaluation.accuracy);
  }
  const std::vector<double> each = corruption_errors(errors, baseline);
  nlohmann::json by_kind = nlohmann::json::object();
  double sum = 0;
  for (size_t k = 0; k < each.size(); ++k) {
    by_kind[name_of(static_cast<DistortionKind>(k))] = each[k];
    sum += each[k];
  }
  return {{"mce", sum / static_cast<double>(each.size())}, {"kinds", by_kind}};
}

std::vector<const Scored*> of_style(const std::vector<Scored>& all, DistortionStyle style) {
  std::vector<const Scored*> members;
  for (const Scored& one : all) {
    if (one.distortion.style == style) {
      members.push_back(&one);
    }
  }
  return members;
}

}  // namespace

void DistortOptions::add_to(CLI::App& command) {
  command
      .add_option("--distort", list,
                  "also score distorted images: cited, cited-255 and clean (paper 004's five), imagenet-c and cifar-c "
                  "(severities 1 to 5), or STYLE/KIND[:SEVERITY]; several with commas")
      ->delimiter(',');
  command.add_option("--reference", reference, "a run to divide the errors of imagenet-c and cifar-c by (mCE)");
}

bool DistortOptions::given() const {
  if (list.empty() && !reference.empty()) {
    fail("--reference is for --distort imagenet-c or cifar-c");
  }
  for (const std::string& entry : list) {
    parse_distortion(entry);
  }
  return !list.empty();
}

nlohmann::json score_distortions(const DistortOptions& options, const LoadedNetwork& loaded, const Dataset& chosen,
                                 uint64_t seed, const std::filesystem::path& folder) {
  std::vector<Distortion> distortions;
  for (const std::string& entry : options.list) {
    for (const Distortion& one : parse_distortion(entry)) {
      const auto same = [&](const Distortion& other) { return name_of(other) == name_of(one); };
      if (std::none_of(distortions.begin(), distortions.end(), same)) {
        distortions.push_back(one);
      }
    }
  }
  const std::vector<Scored> all = score(loaded.network, chosen, distortions, seed);
  nlohmann::json result = {{"seed", seed},
                           {"scores", nlohmann::json::array()},
                           {"sections", nlohmann::json::object()},
                           {"mce", nlohmann::json::object()}};
  for (const Scored& one : all) {
    nlohmann::json row = scores_of(one.evaluation);
    row["name"] = name_of(one.distortion);
    row["style"] = name_of(one.distortion.style);
    row["kind"] = name_of(one.distortion.kind);
    row["severity"] = one.distortion.severity;
    result["scores"].push_back(row);
  }
  for (const DistortionStyle style : {DistortionStyle::cited, DistortionStyle::cited_255, DistortionStyle::clean}) {
    if (const auto members = of_style(all, style);
        members.size() == distortion_kinds && chosen.size() >= distortion_kinds) {
      result["sections"][name_of(style)] = sections_of(members, chosen);
    }
  }
  if (!options.reference.empty()) {
    const LoadedNetwork reference = load_network(options.reference);
    check_classes(options.reference, reference.saved, chosen);
    const std::vector<Scored> baseline = score(reference.network, chosen, distortions, seed);
    for (const DistortionStyle style : {DistortionStyle::imagenet_c, DistortionStyle::cifar_c}) {
      if (const auto members = of_style(all, style); members.size() == graded_kinds * distortion_severities) {
        result["mce"][name_of(style)] = mce_of(members, of_style(baseline, style));
        result["mce"][name_of(style)]["reference"] = options.reference;
      }
    }
    if (result["mce"].empty()) {
      fail("--reference: an mCE needs all of imagenet-c or cifar-c in --distort");
    }
  }
  if (!folder.empty()) {
    write_file(folder / "distortions.json", result.dump(1));
  }
  return result;
}

std::string distortions_text(const nlohmann::json& distortions) {
  std::string text;
  char line[160];
  const auto row = [&](const std::string& name, const nlohmann::json& scores) {
    const Interval interval{scores["interval"][0].get<double>(), scores["interval"][1].get<double>()};
    std::snprintf(line, sizeof line, "  %-32s %6s  [%s]  loss %8.4f  %6ld images\n", name.c_str(),
                  format::percent(scores["accuracy"].get<double>()).c_str(), format::percent_range(interval).c_str(),
                  scores["loss"].get<double>(), scores["n"].get<int64_t>());
    text += line;
  };
  text += "\ndistorted, each on the whole set\n";
  for (const auto& scores : distortions["scores"]) {
    row(scores["name"], scores);
  }
  for (const auto& [style, sections] : distortions["sections"].items()) {
    text += style + ", five equal sections\n";
    for (const auto& part : sections["parts"]) {
      row(part["kind"], part);
    }
    row("overall", sections["overall"]);
  }
  for (const auto& [style, mce] : distortions["mce"].items()) {
    std::snprintf(line, sizeof line, "%s: mCE %s against %s\n", style.c_str(),
                  format::percent(mce["mce"].get<double>()).c_str(), mce["reference"].get<std::string>().c_str());
    text += line;
    for (const auto& [kind, error] : mce["kinds"].items()) {
      std::snprintf(line, sizeof line, "  %-32s %6s\n", kind.c_str(), format::percent(error.get<double>()).c_str());
      text += line;
    }
  }
  return text;
}

}  // namespace fer
