// What a synthetic face is drawn from: who it is, what its muscles do, how it is held, and how it is photographed.
#pragma once

#include "data/canvas.h"
#include "tensor/philox.h"

namespace fer {

// Traits of one person. Lengths are in units of half the head's width; greys 0 (black) to 1.
struct FaceIdentity {
  explicit FaceIdentity(RandomSequence& random);

  float skin, hair, iris, lips;                   // greys
  float width, jaw, chin, forehead;               // head: half width, squareness, lengths below and above the eyes
  float eye_distance, eye_size, eye_height;       // of one eye's centre from the middle; scale; opening
  float brow_height, brow_thickness, brow_slant;  // above the eye; stroke; outer end lower than the inner
  float nose_length, nose_width;
  float mouth_height, mouth_width, lip_fullness;
  float hairline, hair_length;  // how far down the forehead; 0 short … 1 past the chin
  float parting;                // where the fringe parts, -1 … 1
  float age;                    // 0 … 1: how deep the lines are
  float beard, moustache;       // opacity; mostly 0
  bool bald, glasses;
  float rest_corner, rest_brow;  // the face at rest: mouth corners up, brows low
};

// Facial action units (Ekman and Friesen's FACS), each 0 (at rest) to about 1 (strongest).
struct ActionUnits {
  float inner_brow_raise = 0;  // AU1
  float outer_brow_raise = 0;  // AU2
  float brow_lower = 0;        // AU4
  float lid_raise = 0;         // AU5
  float cheek_raise = 0;       // AU6
  float lid_tighten = 0;       // AU7
  float nose_wrinkle = 0;      // AU9
  float upper_lip_raise = 0;   // AU10
  float corner_pull = 0;       // AU12
  float corner_depress = 0;    // AU15
  float chin_raise = 0;        // AU17
  float lip_stretch = 0;       // AU20
  float lip_tighten = 0;       // AU23, AU24
  float lips_part = 0;         // AU25
  float jaw_drop = 0;          // AU26, AU27
  float lid_droop = 0;         // AU43, partly closed
};

// The action units of one of FER2013's expressions (0 angry … 6 neutral), by the field's usual prototypes (EMFACS),
// with an intensity that is often low, and units that come and go.
ActionUnits draw_expression(int expression, const FaceIdentity& identity, RandomSequence& random);

// How the head is held and lit.
struct FacePose {
  explicit FacePose(RandomSequence& random);

  float shift_x, shift_y;  // pixels
  float scale;             // pixels for one unit
  float roll, yaw, pitch;  // radians
  float light_x, light_y;  // direction the light comes from
  float light;             // share of the light that has a direction
  float gaze_x, gaze_y;    // of the irises, in units
  float asymmetry;         // left side stronger (positive) or weaker
};

// Draws the head on whatever background the canvas has.
void draw_face(Canvas& canvas, const FaceIdentity& identity, const ActionUnits& units, const FacePose& pose);

}  // namespace fer
