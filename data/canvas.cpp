#include "data/canvas.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace fer {

namespace {

constexpr int scans_per_row = 4;
constexpr int max_crossings = 64;

struct Crossing {
  float x;
  int direction;
};

}  // namespace

Canvas::Canvas(int width, int height, float grey)
    : width_(width), height_(height), pixels_(static_cast<size_t>(width * height), grey) {
  coverage_.shares.resize(pixels_.size());
  clip_coverage_.shares.resize(pixels_.size());
}

void Canvas::cover(std::span<const Point> polygon, Coverage& coverage) const {
  const auto [low_x, high_x] =
      std::minmax_element(polygon.begin(), polygon.end(), [](Point a, Point b) { return a.x < b.x; });
  const auto [low_y, high_y] =
      std::minmax_element(polygon.begin(), polygon.end(), [](Point a, Point b) { return a.y < b.y; });
  const auto clamped = [](float value, int most) {
    return static_cast<int>(std::clamp(value, 0.0f, static_cast<float>(most)));
  };
  coverage.left = clamped(std::floor(low_x->x), width_);
  coverage.right = clamped(std::ceil(high_x->x), width_);
  coverage.top = clamped(std::floor(low_y->y), height_);
  coverage.bottom = clamped(std::ceil(high_y->y), height_);

  std::array<Crossing, max_crossings> crossings;
  for (int y = coverage.top; y < coverage.bottom; ++y) {
    float* row = coverage.shares.data() + y * width_;
    std::fill(row + coverage.left, row + std::max(coverage.left, coverage.right), 0.0f);
    for (int scan = 0; scan < scans_per_row; ++scan) {
      const float scan_y = static_cast<float>(y) + (static_cast<float>(scan) + 0.5f) / scans_per_row;
      int count = 0;
      Point from = polygon.back();
      for (Point to : polygon) {
        if ((from.y <= scan_y) != (to.y <= scan_y) && count < max_crossings) {
          const float x = from.x + (to.x - from.x) * (scan_y - from.y) / (to.y - from.y);
          crossings[static_cast<size_t>(count++)] = {x, from.y < to.y ? 1 : -1};
        }
        from = to;
      }
      std::sort(crossings.begin(), crossings.begin() + count,
                [](const Crossing& a, const Crossing& b) { return a.x < b.x; });
      int winding = 0;
      for (int i = 0; i + 1 < count; ++i) {
        winding += crossings[static_cast<size_t>(i)].direction;
        if (winding == 0) {
          continue;
        }
        const float begin = std::max(crossings[static_cast<size_t>(i)].x, static_cast<float>(coverage.left));
        const float end = std::min(crossings[static_cast<size_t>(i + 1)].x, static_cast<float>(coverage.right));
        for (int x = static_cast<int>(begin); static_cast<float>(x) < end; ++x) {
          const float left = std::max(begin, static_cast<float>(x));
          const float right = std::min(end, static_cast<float>(x + 1));
          row[x] += std::max(0.0f, right - left) / scans_per_row;
        }
      }
    }
  }
}

void Canvas::fill(std::span<const Point> polygon, float grey, float opacity) {
  cover(polygon, coverage_);
  for_covered(coverage_, [&](int x, int y, float coverage) {
    float& pixel = at(x, y);
    pixel += coverage * opacity * (grey - pixel);
  });
}

void Canvas::fill_clipped(std::span<const Point> polygon, std::span<const Point> clip, float grey, float opacity) {
  cover(polygon, coverage_);
  cover(clip, clip_coverage_);
  for_covered(coverage_, [&](int x, int y, float coverage) {
    const bool inside =
        x >= clip_coverage_.left && x < clip_coverage_.right && y >= clip_coverage_.top && y < clip_coverage_.bottom;
    if (inside) {
      float& pixel = at(x, y);
      const float clip_share = clip_coverage_.shares[static_cast<size_t>(y * width_ + x)];
      pixel += std::min(coverage, clip_share) * opacity * (grey - pixel);
    }
  });
}

void Canvas::stroke(std::span<const Point> line, float begin, float middle, float end, float grey, float opacity) {
  // The outline runs along one side of the line and back along the other.
  const size_t count = line.size();
  outline_.resize(2 * count);
  for (size_t i = 0; i < count; ++i) {
    const Point before = line[i == 0 ? 0 : i - 1];
    const Point after = line[i + 1 == count ? i : i + 1];
    const float dx = after.x - before.x;
    const float dy = after.y - before.y;
    const float length = std::max(1e-6f, std::sqrt(dx * dx + dy * dy));
    const float t = static_cast<float>(i) / static_cast<float>(count - 1);
    const float width = begin + (end - begin) * t + 4 * t * (1 - t) * (middle - 0.5f * (begin + end));
    const float across_x = -dy / length * 0.5f * width;
    const float across_y = dx / length * 0.5f * width;
    outline_[i] = {line[i].x + across_x, line[i].y + across_y};
    outline_[2 * count - 1 - i] = {line[i].x - across_x, line[i].y - across_y};
  }
  fill(outline_, grey, opacity);
}

void Canvas::spot(Point centre, float radius_x, float radius_y, float tilt, float change) {
  const float reach = std::max(radius_x, radius_y) * 1.2f;
  const int left = std::max(0, static_cast<int>(centre.x - reach));
  const int right = std::min(width_, static_cast<int>(centre.x + reach) + 1);
  const int top = std::max(0, static_cast<int>(centre.y - reach));
  const int bottom = std::min(height_, static_cast<int>(centre.y + reach) + 1);
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) {
      const float dx = static_cast<float>(x) + 0.5f - centre.x;
      const float dy = static_cast<float>(y) + 0.5f - centre.y - tilt * dx;
      const float distance = dx * dx / (radius_x * radius_x) + dy * dy / (radius_y * radius_y);
      if (distance < 1) {
        at(x, y) += change * (1 - distance) * (1 - distance);
      }
    }
  }
}

void Canvas::blur(float a, int passes) {
  std::vector<float>& line = coverage_.shares;  // scratch: no polygon is being drawn
  const auto blur_line = [&](float* first, int count, int stride) {
    for (int i = 0; i < count; ++i) {
      line[static_cast<size_t>(i)] = first[i * stride];
    }
    for (int i = 0; i < count; ++i) {
      const float before = line[static_cast<size_t>(std::max(0, i - 1))];
      const float after = line[static_cast<size_t>(std::min(count - 1, i + 1))];
      first[i * stride] = a * (before + after) + (1 - 2 * a) * line[static_cast<size_t>(i)];
    }
  };
  for (int pass = 0; pass < passes; ++pass) {
    for (int y = 0; y < height_; ++y) {
      blur_line(&at(0, y), width_, 1);
    }
    for (int x = 0; x < width_; ++x) {
      blur_line(&at(x, 0), height_, width_);
    }
  }
}

}  // namespace fer
