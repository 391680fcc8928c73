#include "data/face.h"

#include <algorithm>

namespace fer {

namespace {

float clamped(float value) { return std::clamp(value, 0.0f, 1.0f); }

// `strength` in a `share` of the faces, in the others `otherwise`.
float sometimes(RandomSequence& random, float share, float strength, float otherwise = 0) {
  return random.uniform() < share ? strength : otherwise;
}

}  // namespace

FaceIdentity::FaceIdentity(RandomSequence& random) {
  skin = random.uniform(0.38f, 0.86f);
  hair = random.uniform() < 0.75f ? random.uniform(0.05f, 0.35f) : random.uniform(0.4f, 0.85f);
  iris = random.uniform(0.08f, 0.4f) * (0.5f + 0.5f * skin);
  lips = skin * random.uniform(0.55f, 0.8f);
  width = random.uniform(0.9f, 1.06f);
  jaw = random.uniform(0.72f, 1.05f);
  chin = random.uniform(1.05f, 1.25f);
  forehead = random.uniform(1.15f, 1.35f);
  eye_distance = random.uniform(0.38f, 0.46f);
  eye_size = random.uniform(0.88f, 1.15f);
  eye_height = random.uniform(0.8f, 1.15f);
  brow_height = random.uniform(0.2f, 0.28f);
  brow_thickness = random.uniform(0.05f, 0.12f);
  brow_slant = random.uniform(-0.03f, 0.05f);
  nose_length = random.uniform(0.42f, 0.54f);
  nose_width = random.uniform(0.14f, 0.21f);
  mouth_height = random.uniform(0.56f, 0.65f);
  mouth_width = random.uniform(0.31f, 0.4f);
  lip_fullness = random.uniform(0.7f, 1.35f);
  hairline = random.uniform(-0.05f, 0.2f);
  hair_length = random.uniform() < 0.45f ? random.uniform(0.6f, 1.0f) : random.uniform(0.0f, 0.25f);
  parting = random.uniform(-0.9f, 0.9f);
  age = random.uniform();
  const bool facial_hair = hair_length < 0.5f && random.uniform() < 0.3f;
  beard = facial_hair ? random.uniform(0.15f, 0.7f) : 0;
  moustache = facial_hair && random.uniform() < 0.7f ? random.uniform(0.2f, 0.75f) : 0;
  bald = hair_length < 0.5f && random.uniform() < 0.12f;
  glasses = random.uniform() < 0.14f;
  rest_corner = random.uniform(-0.14f, 0.16f);
  rest_brow = random.uniform(-0.1f, 0.18f);
}

ActionUnits draw_expression(int expression, const FaceIdentity& identity, RandomSequence& random) {
  ActionUnits units;
  switch (expression) {
    case 0: {  // angry
      const float shout = sometimes(random, 0.35f, 1);
      units.brow_lower = 1;
      units.lid_raise = sometimes(random, 0.5f, 0.45f);
      units.lid_tighten = 0.7f;
      units.lip_tighten = shout > 0 ? 0.1f : 0.95f;
      units.chin_raise = shout > 0 ? 0 : 0.35f;
      units.upper_lip_raise = shout > 0 ? 0.45f : 0.1f;
      units.lips_part = 0.7f * shout;
      units.jaw_drop = 0.4f * shout;
      break;
    }
    case 1:  // disgust
      units.nose_wrinkle = 1;
      units.upper_lip_raise = 0.9f;
      units.brow_lower = 0.5f;
      units.cheek_raise = 0.35f;
      units.lid_tighten = 0.5f;
      units.corner_depress = 0.35f;
      units.chin_raise = 0.4f;
      units.lips_part = sometimes(random, 0.45f, 0.55f);
      break;
    case 2:  // fear
      units.inner_brow_raise = 0.95f;
      units.outer_brow_raise = 0.5f;
      units.brow_lower = 0.5f;
      units.lid_raise = 0.95f;
      units.lid_tighten = 0.15f;
      units.lip_stretch = 0.9f;
      units.lips_part = 0.75f;
      units.jaw_drop = sometimes(random, 0.5f, 0.4f, 0.05f);
      break;
    case 3: {  // happy
      const float teeth = sometimes(random, 0.7f, 1);
      units.corner_pull = 1;
      units.cheek_raise = 0.8f;
      units.lips_part = 0.85f * teeth;
      units.jaw_drop = teeth * sometimes(random, 0.35f, 0.35f);
      break;
    }
    case 4:  // sad
      units.inner_brow_raise = 0.85f;
      units.brow_lower = 0.45f;
      units.corner_depress = 0.95f;
      units.chin_raise = 0.55f;
      units.lid_droop = sometimes(random, 0.6f, 0.5f);
      break;
    case 5:  // surprise
      units.inner_brow_raise = 1;
      units.outer_brow_raise = 1;
      units.lid_raise = 0.8f;
      units.lips_part = 0.6f;
      units.jaw_drop = sometimes(random, 0.8f, 1, 0.4f);
      break;
    default:  // neutral
      break;
  }
  // Most expressions outside laboratories are mild.
  const float intensity = 0.38f + 0.62f * std::max(random.uniform(), random.uniform());
  for (float* unit : {&units.inner_brow_raise, &units.outer_brow_raise, &units.brow_lower, &units.lid_raise,
                      &units.cheek_raise, &units.lid_tighten, &units.nose_wrinkle, &units.upper_lip_raise,
                      &units.corner_pull, &units.corner_depress, &units.chin_raise, &units.lip_stretch,
                      &units.lip_tighten, &units.lips_part, &units.jaw_drop, &units.lid_droop}) {
    const float stray = random.uniform() < 0.25f ? random.uniform(0, 0.16f) : 0;
    *unit = clamped(*unit * intensity * random.uniform(0.65f, 1.15f) + stray);
  }
  units.corner_pull = clamped(units.corner_pull + std::max(0.0f, identity.rest_corner));
  units.corner_depress = clamped(units.corner_depress + std::max(0.0f, -identity.rest_corner));
  units.brow_lower = clamped(units.brow_lower + std::max(0.0f, identity.rest_brow));
  units.inner_brow_raise = clamped(units.inner_brow_raise + std::max(0.0f, -identity.rest_brow));
  return units;
}

FacePose::FacePose(RandomSequence& random) {
  shift_x = random.uniform(-2.2f, 2.2f);
  shift_y = random.uniform(-2.2f, 2.2f);
  scale = random.uniform(19.5f, 24.0f);
  // Sums of uniforms: mostly upright and frontal.
  roll = 0.13f * (random.uniform(-1, 1) + random.uniform(-1, 1));
  yaw = 0.24f * (random.uniform(-1, 1) + random.uniform(-1, 1));
  pitch = 0.1f * (random.uniform(-1, 1) + random.uniform(-1, 1));
  light_x = random.uniform(-1, 1);
  light_y = random.uniform(-1, 0.35f);
  light = random.uniform(0.1f, 0.65f);
  gaze_x = random.uniform(-0.04f, 0.04f);
  gaze_y = random.uniform(-0.015f, 0.02f);
  asymmetry = random.uniform(-0.2f, 0.2f);
}

}  // namespace fer
