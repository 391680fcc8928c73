// Packing intervals of time into one stretch of memory: the heart of the planner, on integers alone.
#pragma once

#include <cstdint>
#include <vector>

namespace fer {

// `bytes` are taken from node `first` to node `last`, both included; `offset` is the answer.
struct Piece {
  int64_t bytes = 0;
  int first = 0;
  int last = 0;
  int64_t offset = 0;
};

// Chooses every offset so that pieces which live at once do not overlap; returns the bytes of the whole stretch.
// Tries several orders of first-fit placement and keeps the smallest result.
int64_t place_pieces(std::vector<Piece>& pieces);

// The largest sum of pieces that live at one node: no placement can do better.
int64_t largest_live_sum(const std::vector<Piece>& pieces);

}  // namespace fer
