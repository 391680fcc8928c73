// The painter behind draw_face: it keeps the four descriptions of a face together while the parts are drawn.
#pragma once

#include <array>
#include <cstddef>

#include "data/face.h"

namespace fer {

// Coordinates of the face: x to the picture's right, y down, the head's half width is 1, eyes at y = eye_line.
class FacePainter {
 public:
  FacePainter(Canvas& canvas, const FaceIdentity& identity, const ActionUnits& units, const FacePose& pose);

  void paint();

 private:
  static constexpr float eye_line = -0.24f;
  static constexpr size_t curve_points = 9;
  using Curve = std::array<Point, curve_points>;
  using Lens = std::array<Point, 2 * curve_points>;

  // face_head.cpp
  void paint_hair_behind();
  void paint_neck();
  void paint_head();
  void paint_fringe();
  void paint_nose();
  void paint_beard();
  float head_outline_x(float y) const;

  // face_eyes.cpp
  void paint_forehead_lines();
  void paint_eye(float side);
  void paint_brow(float side);
  void paint_glasses();

  // face_mouth.cpp
  void paint_mouth();
  void paint_cheek(float side);
  void paint_chin();

  // Where a point of the face, `relief` in front of the head's surface, comes to lie in the picture.
  Point project(float x, float y, float relief = 0) const;

  // A parabola-like arc from (left, left_y) over (middle, middle_y) to (right, right_y), projected.
  Curve arc(Point left, Point middle, Point right, float relief = 0) const;

  // The area between two arcs.
  static Lens between(const Curve& upper, const Curve& lower);

  float pixels(float length) const { return length * pose_.scale; }
  // How strongly the muscles of one side act: expressions are seldom quite symmetric.
  float share(float side) const { return 1 + side * pose_.asymmetry; }

  Canvas& canvas_;
  const FaceIdentity& identity_;
  const ActionUnits& units_;
  const FacePose& pose_;
  float line_;   // grey of creases and lids
  float jaw_y_;  // the chin, with the jaw dropped
  float sin_roll_, cos_roll_, sin_yaw_, cos_yaw_, sin_pitch_, cos_pitch_;
};

}  // namespace fer
