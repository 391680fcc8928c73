// Mouth, cheeks and chin: action units 6, 9, 10, 12, 15, 17, 20, 23 to 27.
#include <algorithm>

#include "data/face_painter.h"

namespace fer {

void FacePainter::paint_cheek(float side) {
  const float strength = share(side);
  const float pull = units_.corner_pull * strength;
  const float raised = units_.cheek_raise * strength;
  // A raised cheek bulges and catches the light.
  canvas_.spot(project(side * 0.52f, 0.16f - 0.05f * raised), pixels(0.28f), pixels(0.22f), 0,
               identity_.skin * (0.03f + 0.14f * raised));
  // The nasolabial fold, from the wing of the nose around the corner of the mouth.
  const float wrinkle = std::max(units_.nose_wrinkle, 0.8f * units_.upper_lip_raise) * strength;
  const float depth = 0.12f + 0.25f * identity_.age + 0.5f * pull + 0.5f * wrinkle;
  const float top = eye_line + identity_.nose_length - 0.1f - 0.06f * wrinkle;
  const float mouth = identity_.mouth_height;
  const float corner = identity_.mouth_width + 0.09f + 0.12f * pull;
  canvas_.stroke(arc({side * (identity_.nose_width + 0.05f), top},
                     {side * (0.75f * corner + 0.05f * pull), top + 0.16f - 0.03f * pull},
                     {side * corner, mouth - 0.04f - 0.1f * pull + 0.06f * units_.corner_depress}),
                 0.4f, 1.3f, 0.4f, line_, std::min(0.8f, depth));
}

void FacePainter::paint_mouth() {
  const float pull = units_.corner_pull;
  const float drop = units_.jaw_drop;
  const float part = units_.lips_part;
  const float width =
      identity_.mouth_width * (1 + 0.34f * pull + 0.3f * units_.lip_stretch - 0.22f * units_.lip_tighten - 0.2f * drop -
                               0.05f * units_.chin_raise + 0.06f * units_.upper_lip_raise);
  const float y = identity_.mouth_height - 0.03f * units_.chin_raise - 0.02f * pull;
  const float thin = 1 - 0.65f * units_.lip_tighten - 0.3f * pull - 0.25f * units_.lip_stretch;
  const float upper_lip = 0.075f * identity_.lip_fullness * std::max(0.25f, thin - 0.2f * units_.upper_lip_raise);
  const float lower_lip = 0.095f * identity_.lip_fullness * std::max(0.25f, thin + 0.15f * units_.chin_raise);

  const float corner_shift = -0.19f * pull + 0.14f * units_.corner_depress + 0.03f * units_.lip_stretch + 0.1f * drop;
  const Point left{-width, y + corner_shift * share(-1)};
  const Point right{width, y + corner_shift * share(1)};
  const float gap = (0.13f + 0.08f * pull) * part + 0.4f * drop;
  // A smile sags in the middle, a pressed chin pushes the middle up.
  const float middle = y + 0.05f * pull - 0.07f * units_.chin_raise - 0.05f * units_.corner_depress;
  const float upper_edge = middle - 0.2f * gap - 0.09f * units_.upper_lip_raise - 0.05f * units_.nose_wrinkle;
  const float lower_edge = middle + 0.8f * gap + 0.02f * units_.lip_stretch * part;

  constexpr float relief = 0.06f;
  const Curve upper_inner = arc(left, {0, upper_edge}, right, relief);
  const Curve lower_inner = arc(left, {0, lower_edge}, right, relief);
  const Curve upper_outer = arc(left, {0, upper_edge - upper_lip}, right, relief);
  const Curve lower_outer = arc(left, {0, lower_edge + lower_lip}, right, relief);

  canvas_.fill(between(upper_outer, upper_inner), identity_.lips * 0.88f, 0.85f);
  canvas_.fill(between(lower_inner, lower_outer), identity_.lips, 0.85f);
  canvas_.spot(project(0, lower_edge + 0.5f * lower_lip, relief), pixels(0.6f * width), pixels(0.06f), 0,
               0.08f * identity_.skin);
  if (gap > 0.035f) {
    const Lens opening = between(upper_inner, lower_inner);
    canvas_.fill(opening, 0.06f);
    // Teeth hang from the upper lip, and show below where the mouth is stretched.
    const float teeth = std::min(0.13f, 0.85f * gap);
    const float shown = std::clamp(
        0.55f * pull + 0.6f * units_.upper_lip_raise + 0.45f * units_.lip_stretch + 0.15f * part, 0.0f, 1.0f);
    const float white = 0.35f + 0.55f * shown;
    const Point teeth_left{0.85f * left.x, 0.8f * left.y + 0.2f * upper_edge};
    const Point teeth_right{0.85f * right.x, 0.8f * right.y + 0.2f * upper_edge};
    canvas_.fill_clipped(between(arc(teeth_left, {0, upper_edge - 0.01f}, teeth_right, relief),
                                 arc(teeth_left, {0, upper_edge + teeth}, teeth_right, relief)),
                         opening, white, 0.4f + 0.6f * shown);
    if (gap > 0.2f) {
      const Point tongue = project(0, lower_edge - 0.05f, relief);
      const std::array<Point, 6> shape{{{tongue.x - pixels(0.5f * width), tongue.y},
                                        {tongue.x - pixels(0.25f * width), tongue.y - pixels(0.06f)},
                                        {tongue.x + pixels(0.25f * width), tongue.y - pixels(0.06f)},
                                        {tongue.x + pixels(0.5f * width), tongue.y},
                                        {tongue.x + pixels(0.3f * width), tongue.y + pixels(0.1f)},
                                        {tongue.x - pixels(0.3f * width), tongue.y + pixels(0.1f)}}};
      canvas_.fill_clipped(shape, opening, identity_.lips * 0.7f, 0.7f);
    }
  } else {
    canvas_.stroke(upper_inner, 0.6f, 1.1f + 0.5f * units_.lip_tighten, 0.6f, identity_.skin * 0.2f, 0.9f);
  }
  for (const Point& corner : {left, right}) {
    canvas_.spot(project(corner.x, corner.y + 0.01f), pixels(0.09f), pixels(0.08f), 0,
                 -identity_.skin * (0.14f + 0.14f * pull + 0.14f * units_.corner_depress));
  }
  canvas_.spot(project(0, lower_edge + lower_lip + 0.06f), pixels(0.7f * width), pixels(0.07f), 0,
               -0.14f * identity_.skin * (1 + units_.chin_raise));
  // Depressed corners drag a line towards the chin, stretched lips fold the skin beside the mouth.
  for (float side : {-1.0f, 1.0f}) {
    const Point& corner = side < 0 ? left : right;
    if (units_.corner_depress > 0.2f) {
      canvas_.stroke(arc({corner.x, corner.y + 0.02f}, {corner.x + side * 0.04f, corner.y + 0.08f},
                         {corner.x + side * 0.05f, corner.y + 0.17f}),
                     0.5f, 0.9f, 0.3f, line_, 0.7f * units_.corner_depress);
    }
    if (units_.lip_stretch > 0.25f) {
      canvas_.stroke(arc({corner.x + side * 0.07f, corner.y - 0.1f}, {corner.x + side * 0.1f, corner.y},
                         {corner.x + side * 0.07f, corner.y + 0.11f}),
                     0.3f, 0.9f, 0.3f, line_, 0.6f * units_.lip_stretch);
    }
  }
}

void FacePainter::paint_chin() {
  const float y = identity_.mouth_height + 0.32f + 0.35f * units_.jaw_drop;
  canvas_.spot(project(0, y), pixels(0.24f), pixels(0.17f), 0, identity_.skin * 0.06f);
  if (units_.chin_raise > 0.25f) {
    canvas_.stroke(arc({-0.16f, y + 0.04f}, {0, y - 0.09f}, {0.16f, y + 0.04f}), 0.3f, 1.0f, 0.3f, line_,
                   0.65f * units_.chin_raise);
  }
}

}  // namespace fer
