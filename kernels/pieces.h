// Images whose channels lie in pieces: tensors that concat() would put side by side, read where they are.
#pragma once

#include <cstdint>

#include "tensor/error.h"
#include "tensor/view.h"

namespace fer {

template <class T>
struct Pieces {
  static constexpr int most = 32;

  int count = 0;
  int first[most + 1] = {};  // channel of each piece; of the one that would follow
  T* data[most] = {};        // [...,channels(i)]
  int64_t rows = 0;

  Pieces() = default;
  Pieces(View<T> only) { add(only); }

  // Equal to those before but for the channels.
  void add(View<T> piece) {
    const int64_t channels = piece.shape.rank() == 0 ? 0 : piece[-1];
    if (count == most || (count > 0 && piece.size() != rows * channels)) {
      fail("pieces: ", piece.shape, " does not fit as number ", count + 1, " of at most ", most, " of ", rows, " rows");
    }
    rows = channels == 0 ? 0 : piece.size() / channels;
    data[count] = piece.data;
    first[count + 1] = first[count] + static_cast<int>(channels);
    ++count;
  }

  int channels(int piece) const { return first[piece + 1] - first[piece]; }
};

}  // namespace fer
