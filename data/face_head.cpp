// The head itself: projection, skull, hair, neck, nose, beard.
#include <algorithm>
#include <cmath>

#include "data/face_painter.h"

namespace fer {

namespace {

// Taylor polynomials: exact enough for the small angles of a pose, and the same on every machine.
float small_sine(float angle) { return angle - angle * angle * angle / 6; }
float small_cosine(float angle) { return 1 - angle * angle / 2 + angle * angle * angle * angle / 24; }

// The upper right quarter of the unit circle as sines of 0, 10 … 90 degrees.
constexpr std::array<float, 10> sines{0,          0.1736482f, 0.3420201f, 0.5f,       0.6427876f,
                                      0.7660444f, 0.8660254f, 0.9396926f, 0.9848078f, 1};

constexpr float depth_of_head = 0.8f;

}  // namespace

FacePainter::FacePainter(Canvas& canvas, const FaceIdentity& identity, const ActionUnits& units, const FacePose& pose)
    : canvas_(canvas),
      identity_(identity),
      units_(units),
      pose_(pose),
      line_(identity.skin * 0.42f),
      jaw_y_(identity.chin + 0.1f * units.jaw_drop),
      sin_roll_(small_sine(pose.roll)),
      cos_roll_(small_cosine(pose.roll)),
      sin_yaw_(small_sine(pose.yaw)),
      cos_yaw_(small_cosine(pose.yaw)),
      sin_pitch_(small_sine(pose.pitch)),
      cos_pitch_(small_cosine(pose.pitch)) {}

void FacePainter::paint() {
  paint_hair_behind();
  paint_neck();
  paint_head();
  paint_cheek(-1);
  paint_cheek(1);
  paint_beard();
  paint_chin();
  paint_mouth();
  paint_nose();
  paint_forehead_lines();
  for (float side : {-1.0f, 1.0f}) {
    paint_eye(side);
    paint_brow(side);
  }
  if (identity_.glasses) {
    paint_glasses();
  }
  paint_fringe();
}

Point FacePainter::project(float x, float y, float relief) const {
  // The head is an ellipsoid that turns about its middle.
  const float height = y / 1.3f;
  const float depth = depth_of_head * std::sqrt(std::max(0.0f, 1 - 0.9f * x * x - 0.6f * height * height)) + relief;
  const float turned_x = x * cos_yaw_ + (depth - 0.3f) * sin_yaw_;
  const float turned_y = y * cos_pitch_ + (depth - 0.3f) * sin_pitch_;
  return {static_cast<float>(canvas_.width()) / 2 + pose_.shift_x +
              pose_.scale * (turned_x * cos_roll_ - turned_y * sin_roll_),
          static_cast<float>(canvas_.height()) / 2 + pose_.shift_y +
              pose_.scale * (turned_x * sin_roll_ + turned_y * cos_roll_)};
}

FacePainter::Curve FacePainter::arc(Point left, Point middle, Point right, float relief) const {
  Curve curve;
  for (size_t i = 0; i < curve_points; ++i) {
    const float t = 2 * static_cast<float>(i) / (curve_points - 1) - 1;
    const float to_left = 0.5f * t * (t - 1);
    const float to_middle = 1 - t * t;
    const float to_right = 0.5f * t * (t + 1);
    curve[i] = project(to_left * left.x + to_middle * middle.x + to_right * right.x,
                       to_left * left.y + to_middle * middle.y + to_right * right.y, relief);
  }
  return curve;
}

FacePainter::Lens FacePainter::between(const Curve& upper, const Curve& lower) {
  Lens lens;
  std::copy(upper.begin(), upper.end(), lens.begin());
  std::copy(lower.rbegin(), lower.rend(), lens.begin() + curve_points);
  return lens;
}

float FacePainter::head_outline_x(float y) const {
  const float reach = y < 0 ? -y / identity_.forehead : y / jaw_y_;
  const float round = std::sqrt(std::max(0.0f, 1 - reach * reach));
  // Below the eyes the cheeks narrow to the chin; a square jaw keeps its width longer.
  const float taper = y < 0 ? 0 : (1.15f - identity_.jaw) * 0.55f * reach;
  return identity_.width * round * (1 - taper);
}

void FacePainter::paint_hair_behind() {
  const float bottom = 0.1f + 1.3f * identity_.hair_length;
  const float width = identity_.width + 0.06f + 0.2f * identity_.hair_length;
  const float top = -identity_.forehead - 0.16f;
  std::array<Point, 38> outline;
  size_t count = 0;
  if (!identity_.bald) {
    for (int i = -9; i <= 9; ++i) {
      const float sine = i < 0 ? -sines[static_cast<size_t>(-i)] : sines[static_cast<size_t>(i)];
      const float cosine = sines[static_cast<size_t>(9 - std::abs(i))];
      outline[count++] = project(width * sine, -0.2f + (top + 0.2f) * cosine);
    }
    outline[count++] = project(width * 1.02f, bottom);
    outline[count++] = project(-width * 1.02f, bottom);
    canvas_.fill({outline.data(), count}, identity_.hair);
  }
  // Ears, where hair does not cover them.
  if (identity_.hair_length < 0.5f) {
    for (float side : {-1.0f, 1.0f}) {
      const Point ear = project(side * (identity_.width + 0.03f), 0.02f);
      const float x = pixels(0.12f);
      const float y = pixels(0.26f);
      const std::array<Point, 8> polygon{{{ear.x - x, ear.y},
                                          {ear.x - 0.7f * x, ear.y - 0.8f * y},
                                          {ear.x, ear.y - y},
                                          {ear.x + 0.7f * x, ear.y - 0.8f * y},
                                          {ear.x + x, ear.y},
                                          {ear.x + 0.7f * x, ear.y + 0.8f * y},
                                          {ear.x, ear.y + y},
                                          {ear.x - 0.7f * x, ear.y + 0.8f * y}}};
      canvas_.fill(polygon, identity_.skin * 0.78f);
    }
  }
}

void FacePainter::paint_neck() {
  const std::array<Point, 4> neck{project(-0.52f, 0.7f), project(0.52f, 0.7f), project(0.62f, 2), project(-0.62f, 2)};
  canvas_.fill(neck, identity_.skin * 0.68f);
}

void FacePainter::paint_head() {
  std::array<Point, 36> outline;
  size_t count = 0;
  for (int quarter = 0; quarter < 4; ++quarter) {
    for (size_t i = 0; i < 9; ++i) {
      // From the crown down the right side to the chin and up the left one.
      const bool rising = quarter % 2 == 1;
      const float sine = rising ? sines[9 - i] : sines[i];
      const float cosine = rising ? sines[i] : sines[9 - i];
      const bool lower = quarter == 1 || quarter == 2;
      const float y = lower ? jaw_y_ * cosine : -identity_.forehead * cosine;
      const float x = head_outline_x(y);
      // Near crown and chin the outline's own x is steep in y; the circle's is exact.
      const float reach = lower ? (1 - (1.15f - identity_.jaw) * 0.55f * cosine) * identity_.width * sine : x;
      outline[count++] = project(quarter < 2 ? reach : -reach, y);
    }
  }
  const Point centre = project(0, 0, -depth_of_head);
  const float reach_x = pixels(identity_.width * 1.05f);
  const float reach_y = pixels(identity_.forehead * 1.08f);
  canvas_.fill_shaded(outline, [&](float x, float y) {
    const float normal_x = (x - centre.x) / reach_x;
    const float normal_y = (y - centre.y) / reach_y;
    const float normal_z = std::sqrt(std::max(0.04f, 1 - normal_x * normal_x - normal_y * normal_y));
    const float lit = (normal_x * pose_.light_x + normal_y * pose_.light_y + normal_z) * 0.8f;
    return identity_.skin * (1 - pose_.light + pose_.light * std::max(0.05f, lit)) * (0.72f + 0.28f * normal_z);
  });
}

void FacePainter::paint_fringe() {
  if (identity_.bald) {
    return;
  }
  // Hair over the forehead: the hairline rises to the parting.
  const float edge = -identity_.forehead + 0.3f + identity_.hairline;
  const float width = identity_.width * 1.02f;
  std::array<Point, 26> outline;
  size_t count = 0;
  for (int i = -6; i <= 6; ++i) {
    const float x = static_cast<float>(i) / 6;
    const float from_parting = std::abs(x - identity_.parting);
    const float sides = x * x * x * x;
    outline[count++] = project(x * width, edge - 0.16f + 0.14f * std::min(1.0f, from_parting) +
                                              sides * (0.35f + 0.8f * identity_.hair_length));
  }
  const float hair_width = identity_.width + 0.06f + 0.2f * identity_.hair_length;
  for (int i = 6; i >= -6; --i) {  // back along the crown
    const float sine = i < 0 ? -sines[static_cast<size_t>(-i)] : sines[static_cast<size_t>(i)];
    outline[count++] =
        project(hair_width * sine, -0.2f - (identity_.forehead - 0.04f) * sines[static_cast<size_t>(9 - std::abs(i))]);
  }
  canvas_.fill({outline.data(), count}, identity_.hair);
  for (float x : {-0.55f, 0.1f, 0.5f}) {  // strands
    const Curve strand = arc({x, edge - 0.1f}, {x * 0.8f, edge - 0.22f}, {x * 0.5f, edge - 0.4f});
    canvas_.stroke(strand, 0.6f, 0.9f, 0.5f, identity_.hair + 0.12f, 0.5f);
  }
}

void FacePainter::paint_nose() {
  const float tip_y = eye_line + identity_.nose_length - 0.06f * units_.nose_wrinkle - 0.03f * units_.upper_lip_raise;
  const float half = identity_.nose_width * (1 + 0.22f * units_.nose_wrinkle + 0.1f * units_.corner_pull);
  const float shade = 0.16f * identity_.skin;
  const float dark_side = pose_.light_x > 0 ? -1.0f : 1.0f;

  canvas_.spot(project(0, tip_y - 0.05f, 0.2f), pixels(0.09f), pixels(0.1f), 0, 0.7f * shade);
  canvas_.spot(project(dark_side * 0.13f, tip_y - 0.14f, 0.1f), pixels(0.1f), pixels(0.34f), 0, -shade);
  canvas_.spot(project(-dark_side * 0.05f, tip_y - 0.25f, 0.15f), pixels(0.07f), pixels(0.28f), 0, 0.5f * shade);
  canvas_.spot(project(0, tip_y + 0.1f, 0.1f), pixels(half * 1.3f), pixels(0.09f), 0, -shade);
  for (float side : {-1.0f, 1.0f}) {
    const Curve wing = arc({side * half * 0.9f, tip_y - 0.12f}, {side * half * 1.15f, tip_y - 0.03f},
                           {side * half * 0.75f, tip_y + 0.05f}, 0.08f);
    canvas_.stroke(wing, 0.4f, 1.0f, 0.5f, line_, 0.6f + 0.3f * units_.nose_wrinkle);
    const Curve nostril = arc({side * half * 0.25f, tip_y + 0.03f}, {side * half * 0.45f, tip_y},
                              {side * half * 0.7f, tip_y + 0.035f}, 0.14f);
    canvas_.stroke(nostril, 0.5f, 1.4f, 0.5f, identity_.skin * 0.22f, 0.85f);
  }
  // Wrinkles across the root of the nose and down its sides.
  if (units_.nose_wrinkle > 0.1f) {
    const float depth = std::min(0.85f, units_.nose_wrinkle);
    for (float offset : {0.02f, 0.12f}) {
      const float y = eye_line + offset;
      canvas_.stroke(arc({-0.12f, y + 0.03f}, {0, y - 0.02f}, {0.12f, y + 0.03f}, 0.1f), 0.5f, 1.1f, 0.5f, line_,
                     depth);
    }
    for (float side : {-1.0f, 1.0f}) {
      canvas_.stroke(
          arc({side * 0.1f, eye_line + 0.08f}, {side * 0.17f, eye_line + 0.17f}, {side * 0.2f, eye_line + 0.3f}), 0.4f,
          1.2f, 0.4f, line_, 0.8f * depth);
    }
  }
}

void FacePainter::paint_beard() {
  const float mouth = identity_.mouth_height;
  if (identity_.beard > 0) {
    std::array<Point, 18> outline;
    size_t count = 0;
    for (int i = -4; i <= 4; ++i) {
      const float x = static_cast<float>(i) / 4;
      outline[count++] = project(0.92f * x * head_outline_x(0.3f), 0.3f + (mouth - 0.24f) * (1 - x * x * x * x));
    }
    for (int i = 4; i >= -4; --i) {
      const float x = static_cast<float>(i) / 4;
      const float y = jaw_y_ * (1 - 0.62f * x * x);
      outline[count++] = project(std::clamp(1.3f * x, -1.0f, 1.0f) * 0.97f * head_outline_x(y * 0.985f), y);
    }
    canvas_.fill({outline.data(), count}, identity_.hair, identity_.beard);
  }
  if (identity_.moustache > 0) {
    const float y = mouth - 0.13f - 0.05f * units_.upper_lip_raise - 0.04f * units_.corner_pull;
    const float corner = y + 0.1f - 0.12f * units_.corner_pull + 0.06f * units_.corner_depress;
    const Curve line = arc({-0.36f, corner}, {0, y}, {0.36f, corner}, 0.05f);
    canvas_.stroke(line, 0.8f, pixels(0.17f), 0.8f, identity_.hair, identity_.moustache);
  }
}

void draw_face(Canvas& canvas, const FaceIdentity& identity, const ActionUnits& units, const FacePose& pose) {
  FacePainter(canvas, identity, units, pose).paint();
}

}  // namespace fer
