// Eyes, brows and what lies between them: action units 1, 2, 4, 5, 6, 7 and 43.
#include <algorithm>

#include "data/face_painter.h"

namespace fer {

void FacePainter::paint_forehead_lines() {
  // Raised brows fold the forehead across, more so at an age; lowered ones fold it upright between them.
  const float raise = 0.5f * (units_.inner_brow_raise + units_.outer_brow_raise);
  const float across = raise * (0.25f + 0.6f * identity_.age);
  if (across > 0.1f) {
    for (float offset : {0.14f, 0.26f}) {
      const float y = eye_line - identity_.brow_height - 0.12f - offset;
      const float half = 0.25f + 0.3f * units_.outer_brow_raise;
      canvas_.stroke(arc({-half, y + 0.02f}, {0, y - 0.03f * units_.inner_brow_raise}, {half, y + 0.02f}), 0.3f, 1.0f,
                     0.3f, line_, std::min(0.7f, across));
    }
  }
  const float upright = units_.brow_lower * (0.55f + 0.4f * identity_.age);
  if (upright > 0.12f) {
    const float y = eye_line - identity_.brow_height + 0.02f;
    for (float side : {-1.0f, 1.0f}) {
      canvas_.stroke(arc({side * 0.075f, y + 0.1f}, {side * 0.055f, y}, {side * 0.085f, y - 0.14f}, 0.03f), 0.4f, 1.2f,
                     0.4f, line_, std::min(0.85f, upright));
    }
  }
}

void FacePainter::paint_eye(float side) {
  const float strength = share(side);
  const float x = side * identity_.eye_distance;
  const float size = identity_.eye_size;
  const float half = 0.195f * size;
  const float raise = units_.lid_raise * strength;
  const float squeeze = std::max(units_.lid_tighten, 0.9f * units_.cheek_raise) * strength;
  const float upper = 0.105f * size * identity_.eye_height *
                      std::max(0.15f, 1 + 0.75f * raise - 0.45f * units_.lid_tighten - 0.3f * units_.cheek_raise -
                                          0.75f * units_.lid_droop - 0.3f * units_.nose_wrinkle);
  const float lower = 0.07f * size * std::max(-0.1f, 1 + 0.25f * raise - 0.85f * squeeze);
  // Sad inner brows pull the inner end of the upper lid up with them.
  const float inner_lift = 0.03f * units_.inner_brow_raise;

  // The socket lies in shadow, most below a lowered brow.
  canvas_.spot(project(x, eye_line - 0.06f), pixels(0.33f), pixels(0.25f), 0,
               -identity_.skin * (0.13f + 0.12f * units_.brow_lower));

  const Point inner{x - side * half, eye_line + 0.015f};
  const Point outer{x + side * half, eye_line - 0.005f + 0.015f * squeeze};
  const Point& left = side < 0 ? outer : inner;
  const Point& right = side < 0 ? inner : outer;
  const float peak = x - side * half * 0.25f * (units_.inner_brow_raise - units_.outer_brow_raise);
  const Curve lid = arc(left, {peak, eye_line - upper - inner_lift}, right);
  const Curve under = arc(left, {x, eye_line + lower}, right);
  const Lens opening = between(lid, under);
  canvas_.fill(opening, std::min(0.95f, identity_.skin * 0.55f + 0.42f));

  const Point pupil = project(x + pose_.gaze_x, eye_line - 0.025f * size + pose_.gaze_y);
  const float radius = pixels(0.098f * size);
  const auto disc = [&](float scale) {
    constexpr float diagonal = 0.7071068f;
    const float r = radius * scale;
    const float d = r * diagonal;
    return std::array<Point, 8>{{{pupil.x + r, pupil.y},
                                 {pupil.x + d, pupil.y + d},
                                 {pupil.x, pupil.y + r},
                                 {pupil.x - d, pupil.y + d},
                                 {pupil.x - r, pupil.y},
                                 {pupil.x - d, pupil.y - d},
                                 {pupil.x, pupil.y - r},
                                 {pupil.x + d, pupil.y - d}}};
  };
  canvas_.fill_clipped(disc(1), opening, identity_.iris);
  canvas_.fill_clipped(disc(0.5f), opening, 0.02f);

  canvas_.stroke(lid, 0.7f, 1.5f, 0.9f, identity_.skin * 0.18f, 0.9f);
  canvas_.stroke(under, 0.3f, 0.7f, 0.3f, line_, 0.6f);
  // The crease of the upper lid, hidden where the brow comes down on it.
  const float crease = std::clamp(0.55f + 0.3f * raise - 0.7f * units_.brow_lower, 0.0f, 0.8f);
  const float above = eye_line - upper - 0.055f - 0.03f * raise - inner_lift;
  canvas_.stroke(arc({left.x, left.y - 0.04f}, {peak, above}, {right.x, right.y - 0.04f}), 0.3f, 0.8f, 0.3f, line_,
                 crease);
  // The bag below, deepened by raised cheeks, and crow's feet.
  const float bag = 0.2f + 0.2f * identity_.age + 0.4f * squeeze;
  canvas_.stroke(arc({left.x, eye_line + 0.08f}, {x, eye_line + lower + 0.09f}, {right.x, eye_line + 0.08f}), 0.3f,
                 0.9f, 0.3f, line_, std::min(0.75f, bag));
  if (units_.cheek_raise > 0.25f) {
    for (float slope : {-0.06f, 0.01f, 0.08f}) {
      const float from = x + side * (half + 0.06f);
      canvas_.stroke(arc({from, eye_line + 0.4f * slope}, {from + side * 0.06f, eye_line + slope},
                         {from + side * 0.13f, eye_line + 1.8f * slope}),
                     0.3f, 0.8f, 0.3f, line_, 0.6f * units_.cheek_raise * (0.5f + 0.5f * identity_.age));
    }
  }
}

void FacePainter::paint_brow(float side) {
  const float strength = share(side);
  const float inner_raise = units_.inner_brow_raise * strength;
  const float outer_raise = units_.outer_brow_raise * strength;
  const float lower = units_.brow_lower * strength;
  const float base = eye_line - identity_.brow_height;
  const float inner_x = identity_.eye_distance - 0.24f - 0.06f * lower;
  const float outer_x = identity_.eye_distance + 0.27f;
  // Lowering weighs least on a brow whose inner end is raised at the same time (sadness, fear).
  const float inner_y = base + 0.03f - 0.17f * inner_raise + 0.15f * lower * (1 - 0.75f * std::min(1.0f, inner_raise)) +
                        0.08f * units_.nose_wrinkle;
  const float middle_y =
      base - 0.05f - 0.07f * inner_raise - 0.1f * outer_raise + 0.09f * lower + 0.05f * units_.nose_wrinkle;
  const float outer_y = base + 0.03f + identity_.brow_slant - 0.13f * outer_raise + 0.03f * inner_raise + 0.01f * lower;
  const Curve brow =
      arc({side * inner_x, inner_y}, {side * 0.5f * (inner_x + outer_x), middle_y}, {side * outer_x, outer_y}, 0.03f);
  const float width = pixels(identity_.brow_thickness);
  const float grey = std::min(identity_.hair, identity_.skin * 0.5f);
  canvas_.stroke(brow, 0.9f * width, 1.15f * width, 0.35f * width, grey, 0.85f);
}

void FacePainter::paint_glasses() {
  const float frame = identity_.hair * 0.5f;
  for (float side : {-1.0f, 1.0f}) {
    const float x = side * identity_.eye_distance;
    const Curve top = arc({x - 0.3f, eye_line - 0.02f}, {x, eye_line - 0.21f}, {x + 0.3f, eye_line - 0.02f}, 0.1f);
    const Curve bottom = arc({x - 0.3f, eye_line - 0.02f}, {x, eye_line + 0.25f}, {x + 0.3f, eye_line - 0.02f}, 0.1f);
    canvas_.stroke(top, 1.0f, 1.0f, 1.0f, frame, 0.85f);
    canvas_.stroke(bottom, 0.7f, 0.7f, 0.7f, frame, 0.7f);
    canvas_.stroke(arc({x + side * 0.3f, eye_line - 0.02f}, {side * 0.85f, eye_line - 0.04f},
                       {side * identity_.width, eye_line - 0.04f}),
                   0.8f, 0.8f, 0.8f, frame, 0.7f);
  }
  const float gap = identity_.eye_distance - 0.3f;
  canvas_.stroke(arc({-gap, eye_line - 0.02f}, {0, eye_line - 0.06f}, {gap, eye_line - 0.02f}, 0.12f), 0.8f, 0.8f, 0.8f,
                 frame, 0.85f);
}

}  // namespace fer
