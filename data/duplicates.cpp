#include <algorithm>
#include <cstring>
#include <numeric>
#include <unordered_set>

#include "data/hash.h"
#include "data/split.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

// The images of a set as byte strings.
class ImageBytes {
 public:
  explicit ImageBytes(const Dataset& dataset)
      : data_(static_cast<const std::byte*>(dataset.images.view().data)),
        count_(dataset.size()),
        bytes_(count_ == 0 ? 0 : static_cast<size_t>(dataset.images.bytes() / count_)) {}

  int64_t count() const { return count_; }
  const std::byte* at(int32_t index) const { return data_ + static_cast<size_t>(index) * bytes_; }
  bool equal(int32_t a, int32_t b) const { return std::memcmp(at(a), at(b), bytes_) == 0; }

  std::vector<uint64_t> hashes() const {
    std::vector<uint64_t> result(static_cast<size_t>(count_));
    parallel_for(count_, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        Hasher hasher;
        hasher.add(at(static_cast<int32_t>(i)), bytes_);
        result[static_cast<size_t>(i)] = hasher.value();
      }
    });
    return result;
  }

 private:
  const std::byte* data_;
  int64_t count_;
  size_t bytes_;
};

}  // namespace

Duplicates find_duplicates(const Dataset& dataset) {
  const ImageBytes images(dataset);
  const std::vector<uint64_t> hashes = images.hashes();
  std::vector<int32_t> order(hashes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return hashes[static_cast<size_t>(a)] < hashes[static_cast<size_t>(b)];
  });

  Duplicates result;
  size_t next = 0;
  while (next < order.size()) {
    // One run of equal hashes; the bytes decide, so that a collision of hashes never makes a group.
    std::vector<std::vector<int32_t>> groups;
    const size_t run = next;
    for (; next < order.size() && hashes[static_cast<size_t>(order[next])] == hashes[static_cast<size_t>(order[run])];
         ++next) {
      const auto group = std::find_if(groups.begin(), groups.end(), [&](const std::vector<int32_t>& members) {
        return images.equal(members.front(), order[next]);
      });
      if (group == groups.end()) {
        groups.push_back({order[next]});
      } else {
        group->push_back(order[next]);
      }
    }
    std::copy_if(groups.begin(), groups.end(), std::back_inserter(result.members),
                 [](const std::vector<int32_t>& members) { return members.size() > 1; });
  }
  std::sort(result.members.begin(), result.members.end());

  const int32_t* labels = dataset.labels.empty() ? nullptr : dataset.labels.data<int32_t>();
  for (const std::vector<int32_t>& members : result.members) {
    ++result.groups;
    result.images += static_cast<int64_t>(members.size());
    result.conflicting_groups += labels != nullptr && std::any_of(members.begin(), members.end(), [&](int32_t member) {
                                   return labels[member] != labels[members.front()];
                                 });
  }
  return result;
}

std::vector<int32_t> flat_images(const Dataset& dataset) {
  std::vector<int32_t> flat;
  if (dataset.images.size() == 0) {
    return flat;
  }
  const ImageBytes images(dataset);
  const size_t image_bytes = static_cast<size_t>(dataset.images.bytes() / dataset.size());
  const size_t pixel_bytes = static_cast<size_t>(dataset.channels() * size_of(dataset.images.dtype()));
  for (int32_t i = 0; i < images.count(); ++i) {
    // Equal to itself moved by one pixel.
    const std::byte* bytes = images.at(i);
    if (std::memcmp(bytes, bytes + pixel_bytes, image_bytes - pixel_bytes) == 0) {
      flat.push_back(i);
    }
  }
  return flat;
}

int64_t twins_across(const Duplicates& duplicates, const std::vector<int32_t>& train,
                     const std::vector<int32_t>& test) {
  const std::unordered_set<int32_t> in_train(train.begin(), train.end());
  const std::unordered_set<int32_t> in_test(test.begin(), test.end());
  int64_t twins = 0;
  for (const std::vector<int32_t>& members : duplicates.members) {
    const bool trained =
        std::any_of(members.begin(), members.end(), [&](int32_t member) { return in_train.count(member) != 0; });
    if (trained) {
      twins +=
          std::count_if(members.begin(), members.end(), [&](int32_t member) { return in_test.count(member) != 0; });
    }
  }
  return twins;
}

}  // namespace fer
