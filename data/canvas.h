// Anti-aliased drawing in grey: what synthetic faces are drawn with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fer {

struct Point {
  float x = 0;
  float y = 0;
};

// A grey picture; 0 is black, 1 white. Coordinates are in pixels, (0,0) the upper left corner of the first one.
class Canvas {
 public:
  Canvas(int width, int height, float grey);

  // Draws the inside of a closed polygon (non-zero rule, so that strokes may cross themselves).
  void fill(std::span<const Point> polygon, float grey, float opacity = 1);

  // The same, only where `clip` is.
  void fill_clipped(std::span<const Point> polygon, std::span<const Point> clip, float grey, float opacity = 1);

  // The same with the grey at each pixel given by shader(x, y).
  template <class Shader>
  void fill_shaded(std::span<const Point> polygon, Shader&& shader) {
    cover(polygon, coverage_);
    for_covered(coverage_, [&](int x, int y, float coverage) {
      float& pixel = at(x, y);
      pixel += coverage * (shader(static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f) - pixel);
    });
  }

  // A line through the points, `begin` pixels wide at the first one and `end` at the last; thickest between them when
  // `middle` is larger.
  void stroke(std::span<const Point> line, float begin, float middle, float end, float grey, float opacity = 1);

  // Brightens (darkens when negative) a soft spot by up to `change`; `tilt` is its slope (rise over run).
  void spot(Point centre, float radius_x, float radius_y, float tilt, float change);

  // Blurs with the binomial kernel [a, 1 - 2a, a], `passes` times, in both directions.
  void blur(float a, int passes);

  int width() const { return width_; }
  int height() const { return height_; }
  float& at(int x, int y) { return pixels_[static_cast<size_t>(y * width_ + x)]; }
  std::span<float> pixels() { return pixels_; }

 private:
  // Share of each pixel inside a polygon, with the rows and columns where it may be above zero.
  struct Coverage {
    std::vector<float> shares;
    int left = 0, right = 0, top = 0, bottom = 0;
  };

  void cover(std::span<const Point> polygon, Coverage& coverage) const;

  template <class Function>
  void for_covered(const Coverage& coverage, Function&& function) const {
    for (int y = coverage.top; y < coverage.bottom; ++y) {
      for (int x = coverage.left; x < coverage.right; ++x) {
        const float share = coverage.shares[static_cast<size_t>(y * width_ + x)];
        if (share > 0) {
          function(x, y, share);
        }
      }
    }
  }

  int width_;
  int height_;
  std::vector<float> pixels_;
  Coverage coverage_;
  Coverage clip_coverage_;
  std::vector<Point> outline_;
};

}  // namespace fer
