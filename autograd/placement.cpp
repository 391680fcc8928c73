#include "autograd/placement.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

namespace fer {

namespace {

bool meet(const Piece& a, const Piece& b) { return a.first <= b.last && b.first <= a.last; }

// Places pieces in `order`, each at the lowest offset where it fits between those already placed.
int64_t first_fit(const std::vector<size_t>& order, std::vector<Piece>& pieces) {
  int64_t total = 0;
  std::vector<const Piece*> placed;  // by offset
  for (size_t index : order) {
    Piece& piece = pieces[index];
    int64_t offset = 0;
    for (const Piece* other : placed) {
      if (!meet(*other, piece)) {
        continue;
      }
      if (other->offset - offset >= piece.bytes) {
        break;
      }
      offset = std::max(offset, other->offset + other->bytes);
    }
    piece.offset = offset;
    total = std::max(total, offset + piece.bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &piece,
                                   [](const Piece* a, const Piece* b) { return a->offset < b->offset; }),
                  &piece);
  }
  return total;
}

}  // namespace

int64_t place_pieces(std::vector<Piece>& pieces) {
  std::vector<size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), 0);
  const auto lifetime = [](const Piece& piece) { return int64_t{piece.last} - piece.first + 1; };
  const auto by = [&](auto key) {
    std::vector<size_t> sorted = order;
    std::stable_sort(sorted.begin(), sorted.end(), [&](size_t a, size_t b) { return key(pieces[a]) > key(pieces[b]); });
    return sorted;
  };
  const std::vector<std::vector<size_t>> orders = {
      by([](const Piece& piece) { return piece.bytes; }),
      by([&](const Piece& piece) { return lifetime(piece); }),
      by([&](const Piece& piece) { return static_cast<double>(piece.bytes) * static_cast<double>(lifetime(piece)); }),
      by([](const Piece& piece) { return -piece.first; }),
  };
  int64_t best = std::numeric_limits<int64_t>::max();
  std::vector<Piece> winner;
  for (const auto& candidate : orders) {
    std::vector<Piece> attempt = pieces;
    const int64_t total = first_fit(candidate, attempt);
    if (total < best) {
      best = total;
      winner = std::move(attempt);
    }
  }
  pieces = std::move(winner);
  return pieces.empty() ? 0 : best;
}

int64_t largest_live_sum(const std::vector<Piece>& pieces) {
  std::map<int, int64_t> change;
  for (const Piece& piece : pieces) {
    change[piece.first] += piece.bytes;
    change[piece.last + 1] -= piece.bytes;
  }
  int64_t live = 0, most = 0;
  for (const auto& [node, bytes] : change) {
    live += bytes;
    most = std::max(most, live);
  }
  return most;
}

}  // namespace fer
