// A changed pixel reaches few activations of a network's first layers: how to compute only those.
#pragma once

#include <vector>

#include "autograd/graph.h"

namespace fer {

// An input of the graph that says where windows lie: the window of candidate i, whose pixel is (row, column), begins at
// (rows[row], columns[column]) of its map.
struct WindowPlaces {
  Value input;  // i32 [N*M,2]
  std::vector<int32_t> rows, columns;
};

struct LocalGraph {
  Value output;
  std::vector<WindowPlaces> places;
};

// `output` was recorded as a function of `candidates` = pixel_candidates(images [N,H,W,C], pixels [N*M,1,2], values
// [N*M,1,C]) in evaluation. Records it again with the first layers computed once for each image, and for each candidate
// only in a window around its pixel, while that is much smaller than the map. Pixels must lie inside the image.
LocalGraph recompute_locally(Value images, Value values, Value candidates, Value output);

}  // namespace fer
