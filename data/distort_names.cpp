// Distortions by name.
#include <algorithm>
#include <array>
#include <optional>

#include "data/distort.h"

namespace fer {

namespace {

constexpr std::array kind_names = {"gaussian-blur", "gaussian-noise", "salt-pepper", "speckle", "occlusion"};
constexpr std::array style_names = {"cited", "cited-255", "clean", "imagenet-c", "cifar-c"};
template <class Names>
std::optional<int> find_name(const Names& names, const std::string& text) {
  const auto found = std::find(names.begin(), names.end(), text);
  return found == names.end() ? std::nullopt : std::optional<int>(static_cast<int>(found - names.begin()));
}

}  // namespace

std::string name_of(DistortionKind kind) { return kind_names[static_cast<size_t>(kind)]; }
std::string name_of(DistortionStyle style) { return style_names[static_cast<size_t>(style)]; }

std::string name_of(const Distortion& distortion) {
  return name_of(distortion.style) + "/" + name_of(distortion.kind) +
         (distortion.severity > 0 ? ":" + std::to_string(distortion.severity) : "");
}

std::vector<Distortion> parse_distortion(const std::string& text) {
  const auto refuse = [&] {
    fail("distortion '", text, "': expected STYLE, STYLE/KIND or KIND with STYLE one of ", comma_list(style_names),
         " and KIND one of ", comma_list(kind_names),
         "; imagenet-c and cifar-c take a severity, as in imagenet-c:3, and no "
         "occlusion");
  };
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const size_t slash = name.find('/');
  const auto kind = find_name(kind_names, slash == std::string::npos ? name : name.substr(slash + 1));
  const auto style = find_name(style_names, name.substr(0, slash));
  if (slash != std::string::npos ? !kind || !style : !kind && !style) {
    refuse();
  }
  const auto chosen = style ? static_cast<DistortionStyle>(*style) : DistortionStyle::clean;
  int severity = 0;
  if (colon != std::string::npos) {
    if (!is_graded(chosen) || text.size() != colon + 2 || text[colon + 1] < '1' || text[colon + 1] > '5') {
      refuse();
    }
    severity = text[colon + 1] - '0';
  }
  std::vector<Distortion> result;
  for (int k = kind.value_or(0); k <= kind.value_or(distortion_kinds - 1); ++k) {
    const auto one = static_cast<DistortionKind>(k);
    if (!is_graded(chosen)) {
      result.push_back({one, chosen, 0});
      continue;
    }
    for (int s = severity > 0 ? severity : 1; s <= (severity > 0 ? severity : distortion_severities); ++s) {
      if (one != DistortionKind::occlusion) {
        result.push_back({one, chosen, s});
      }
    }
  }
  if (result.empty()) {
    refuse();
  }
  return result;
}

}  // namespace fer
