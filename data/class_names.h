// The class orders of the field's data sets.
#pragma once

#include <string>
#include <vector>

namespace fer {

inline const std::vector<std::string>& fer2013_classes() {
  static const std::vector<std::string> names{"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"};
  return names;
}

// The ten columns of FER+ votes; its models use the first eight.
inline const std::vector<std::string>& ferplus_classes() {
  static const std::vector<std::string> names{"neutral", "happiness", "surprise", "sadness", "anger",
                                              "disgust", "fear",      "contempt", "unknown", "NF"};
  return names;
}

inline const std::vector<std::string>& ck_classes() {
  static const std::vector<std::string> names{"anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"};
  return names;
}

}  // namespace fer
